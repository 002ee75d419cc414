//! An OpenID provider: panva's certified one, which lets everybody in who gives a name.

use std::{
    net::{Ipv4Addr, TcpStream},
    path::PathBuf,
    process::Command,
};

use tempfile::TempDir;

use crate::{guardian, installed, port, process::Process, skip::find_program, wait};

/// The program that is the provider.
const PROGRAM: &str = include_str!("provider.mjs");

/// The name of the registry there.
pub const CLIENT_ID: &str = "registry";
/// The secret of the registry there.
pub const CLIENT_SECRET: &str = "registrysecretregistrysecret0123";

/// A provider that runs, or one whose place is known and that does not run yet.
pub struct OpenIdProvider {
    process: Option<Process>,
    port: u16,
    redirect: String,
    directory: TempDir,
}

impl OpenIdProvider {
    /// Whether it can be started here; otherwise why not.
    pub fn available() -> Result<(), String> {
        find_program("node").ok_or("node is not installed")?;
        let library = modules().join("node_modules/oidc-provider");
        library.is_dir().then_some(()).ok_or_else(|| format!("{} is not installed", library.display()))
    }

    /// Starts one that sends browsers back to `redirect`, and waits until it answers.
    pub async fn start(redirect: &str) -> Self {
        let mut provider = Self::prepare(redirect);
        provider.spawn().await;
        provider
    }

    /// One that does not run yet.
    pub fn prepare(redirect: &str) -> Self {
        let directory = TempDir::new().expect("a directory");
        guardian::remove(directory.path());
        Self { process: None, port: port::free(), redirect: redirect.to_owned(), directory }
    }

    /// Starts it, and waits until it answers.
    pub async fn spawn(&mut self) {
        let program = self.directory.path().join("provider.mjs");
        std::fs::write(&program, PROGRAM).expect("the program");
        let mut command = Command::new("node");
        command.arg(program).env("PORT", self.port.to_string()).env("REDIRECT", &self.redirect).env("MODULES", modules());
        self.process = Some(Process::spawn(command, &self.directory.path().join("output.log")));
        wait::until("the OpenID provider answers", async || TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()).await;
    }

    /// Its URL.
    pub fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Kills it; it forgets everybody.
    pub fn kill(&mut self) {
        self.process = None;
    }
}

fn modules() -> PathBuf {
    installed().join("oidc")
}
