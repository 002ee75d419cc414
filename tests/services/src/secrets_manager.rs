//! An AWS Secrets Manager: moto's, which believes any signature and keeps everything in memory.

use std::{path::PathBuf, process::Command};

use serde_json::json;
use tempfile::TempDir;

use crate::{aws_json::Service, installed, port, process::Process, skip::find_program, wait};

/// The region in which secrets are.
pub const REGION: &str = "us-east-1";

const SERVICE: Service = Service { name: "secretsmanager", prefix: "secretsmanager", protocol: "1.1" };

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
        wait::until("the Secrets Manager answers", async || SERVICE.ask(port, "ListSecrets", &json!({})).is_some()).await;
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
        SERVICE.done(self.port, "CreateSecret", &json!({"Name": name, "SecretString": value}));
    }

    /// Gives a secret another value.
    pub fn replace(&self, name: &str, value: &str) {
        SERVICE.done(self.port, "PutSecretValue", &json!({"SecretId": name, "SecretString": value}));
    }

    /// Kills it, and everything that it kept.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}

fn program() -> Option<PathBuf> {
    let own = installed().join("moto/bin/moto_server");
    if own.is_file() { Some(own) } else { find_program("moto_server") }
}
