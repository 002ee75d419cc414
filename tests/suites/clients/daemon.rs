//! Clients that are daemons: each with its own data, in process and mount namespaces of its own, so that nothing of it outlives the test.

use std::process::Stdio;

use tokio::process::Child;
use zot_tests::wait;

use crate::program::Program;

/// A running daemon. Dropping it kills everything that it started.
pub(crate) struct Daemon {
    process: Child,
    log: std::path::PathBuf,
}

impl Daemon {
    /// Starts `line` in namespaces of its own, or says why that cannot be done here.
    pub(crate) async fn start(unshare: &Program, line: &str) -> Result<Self, String> {
        const NAMESPACES: &str = "--fork --pid --mount-proc --kill-child=SIGKILL";
        unshare.attempt(&format!("{NAMESPACES} true")).await.map_err(|reason| format!("no namespaces: {reason}"))?;
        let log = unshare.home().join("daemon.log");
        let file = std::fs::File::create(&log).expect("the daemon's log");
        let mut command = unshare.command();
        command.args(NAMESPACES.split(' ')).args(line.split_whitespace());
        command.stdout(file.try_clone().expect("the daemon's log")).stderr(Stdio::from(file));
        Ok(Self { process: command.spawn().expect("the daemon starts"), log })
    }

    /// Waits until `line` of `client` succeeds: then it answers. Says why not if it ends or takes too long.
    pub(crate) async fn answers(&mut self, client: &Program, line: &str) -> Result<(), String> {
        let mut ended = false;
        let answered = wait::within(wait::PATIENCE, async || {
            ended = self.process.try_wait().expect("its state").is_some();
            ended || client.attempt(line).await.is_ok()
        });
        if answered.await && !ended {
            return Ok(());
        }
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        Err(format!("it does not start: {}", log.lines().last().unwrap_or("it says nothing")))
    }
}
