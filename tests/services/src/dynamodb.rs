//! A DynamoDB server: Amazon's own local one.

use std::{
    net::{Ipv4Addr, TcpStream},
    path::PathBuf,
    process::Command,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{aws_json::Service, guardian, installed, port, process::Process, skip::find_program, wait};

const SERVICE: Service = Service { name: "dynamodb", prefix: "DynamoDB_20120810", protocol: "1.0" };

/// A running DynamoDB server without any table. It takes any credentials.
pub struct DynamoDb {
    process: Process,
    port: u16,
    directory: TempDir,
    keeping: Keeping,
}

/// Where a server keeps its tables.
#[derive(Clone, Copy)]
enum Keeping {
    OnDisk,
    InMemory,
}

impl DynamoDb {
    /// Whether it can be started here; otherwise why not.
    pub fn available() -> Result<(), String> {
        find_program("java").ok_or("java is not installed")?;
        let jar = emulator().join("DynamoDBLocal.jar");
        jar.is_file().then_some(()).ok_or_else(|| format!("{} is not installed", jar.display()))
    }

    /// Starts a server and waits until it answers.
    pub async fn start() -> Self {
        Self::start_keeping(Keeping::OnDisk).await
    }

    /// Starts a server that is quicker, and forgets everything when it is killed.
    pub async fn start_in_memory() -> Self {
        Self::start_keeping(Keeping::InMemory).await
    }

    async fn start_keeping(keeping: Keeping) -> Self {
        let directory = TempDir::new().expect("a directory");
        guardian::remove(directory.path());
        let port = port::free();
        let process = spawn(&directory, port, keeping);
        let server = Self { process, port, directory, keeping };
        server.answers().await;
        server
    }

    /// Its URL.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Deletes tables with everything in them.
    pub fn delete_tables<'n>(&self, names: impl IntoIterator<Item = &'n str>) {
        for name in names {
            SERVICE.done(self.port, "DeleteTable", &json!({"TableName": name}));
        }
    }

    /// The names of the tables that begin so.
    pub fn tables(&self, prefix: &str) -> Vec<String> {
        let answer = SERVICE.done(self.port, "ListTables", &json!({"ExclusiveStartTableName": prefix}));
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let listed: Value = serde_json::from_str(body).expect("a list of tables");
        let names = listed["TableNames"].as_array().into_iter().flatten().filter_map(Value::as_str);
        names.filter(|name| name.starts_with(prefix)).map(str::to_owned).collect()
    }

    /// Its process, to be stopped and continued.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Kills it; what was acknowledged stays on its disk, if it has one.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again at the same place with the same content.
    pub async fn restart(&mut self) {
        self.process.kill();
        self.process = spawn(&self.directory, self.port, self.keeping);
        self.answers().await;
    }

    async fn answers(&self) {
        wait::until("the DynamoDB server answers", async || TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()).await;
    }
}

fn emulator() -> PathBuf {
    installed().join("dynamodb/package/emulator")
}

fn spawn(directory: &TempDir, port: u16, keeping: Keeping) -> Process {
    let emulator = emulator();
    let mut command = Command::new("java");
    command.current_dir(directory.path());
    command.args(["-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]);
    command.arg(format!("-Djava.library.path={}", emulator.join("DynamoDBLocal_lib").display()));
    command.arg("-jar").arg(emulator.join("DynamoDBLocal.jar"));
    command.arg("-port").arg(port.to_string()).args(["-sharedDb", "-disableTelemetry"]);
    match keeping {
        Keeping::OnDisk => command.arg("-dbPath").arg(directory.path()),
        Keeping::InMemory => command.arg("-inMemory"),
    };
    Process::spawn(command, &directory.path().join("output.log"))
}
