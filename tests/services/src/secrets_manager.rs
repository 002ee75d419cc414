//! An AWS Secrets Manager: moto's, which believes any signature and keeps everything in memory.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    path::PathBuf,
    process::Command,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{installed, port, process::Process, skip::find_program, wait};

/// The region in which secrets are.
pub const REGION: &str = "us-east-1";

/// A running Secrets Manager without any secret.
pub struct SecretsManager {
    process: Process,
    port: u16,
    _directory: TempDir,
}

impl SecretsManager {
    /// Whether it can be started here; otherwise why not.
    pub fn available() -> Result<(), String> {
        program().map(drop).ok_or_else(|| "moto_server is not installed".to_owned())
    }

    /// Starts a server and waits until it answers.
    pub async fn start() -> Self {
        let (directory, port) = (TempDir::new().expect("a directory"), port::free());
        let mut command = Command::new(program().expect("moto_server is installed"));
        command.args(["--host", "127.0.0.1", "--port"]).arg(port.to_string());
        let server = Self { process: Process::spawn(command, &directory.path().join("output.log")), port, _directory: directory };
        wait::until("the Secrets Manager answers", async || server.ask("ListSecrets", &json!({})).is_some()).await;
        server
    }

    /// Its URL.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What a process needs in its environment to find it.
    pub fn environment(&self) -> [(&'static str, String); 3] {
        let keys = [("AWS_ACCESS_KEY_ID", "AKIATEST"), ("AWS_SECRET_ACCESS_KEY", "test-secret")];
        let [id, secret] = keys.map(|(name, value)| (name, value.to_owned()));
        [id, secret, ("AWS_ENDPOINT_URL_SECRETS_MANAGER", self.endpoint())]
    }

    /// Makes a secret.
    pub fn create(&self, name: &str, value: &str) {
        self.done("CreateSecret", &json!({"Name": name, "SecretString": value}));
    }

    /// Gives a secret another value.
    pub fn replace(&self, name: &str, value: &str) {
        self.done("PutSecretValue", &json!({"SecretId": name, "SecretString": value}));
    }

    /// Kills it, and everything that it kept.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    fn done(&self, operation: &str, body: &Value) {
        let answer = self.ask(operation, body).unwrap_or_default();
        assert!(answer.starts_with("HTTP/1.1 200"), "{operation}: {answer}");
    }

    /// The answer to a call, if there is one.
    fn ask(&self, operation: &str, body: &Value) -> Option<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
        let scope = format!("AKIATEST/20200101/{REGION}/secretsmanager/aws4_request");
        let body = body.to_string();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Amz-Target: secretsmanager.{operation}\r\n\
             Content-Type: application/x-amz-json-1.1\r\nContent-Length: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.starts_with("HTTP/").then_some(answer)
    }
}

fn program() -> Option<PathBuf> {
    let own = installed().join("moto/bin/moto_server");
    if own.is_file() { Some(own) } else { find_program("moto_server") }
}
