//! A docker engine with a network of its own: its containers reach each other and nobody else, and all of it ends with the test.

use std::{path::Path, process::Command, thread};

use zot_tests::skip::skip;

use crate::{
    daemon::Daemon,
    program::{Program, this_test},
};

/// How much of a container's log a failed test shows.
const LOG_LINES: &str = "40";

pub(super) struct Engine {
    docker: Program,
    nsenter: Program,
    host: String,
    daemon: Daemon,
    _home: Program,
}

impl Engine {
    /// Starts it, or says why this test is skipped.
    pub(super) async fn start() -> Option<Self> {
        let (docker, dockerd, unshare) = (Program::find("docker")?, Program::find("dockerd")?, Program::find("unshare")?);
        let (nsenter, _) = (Program::find("nsenter")?, Program::find("iptables")?);
        match Self::try_start(docker, &dockerd, unshare, nsenter).await {
            Ok(engine) => Some(engine),
            Err(reason) => {
                skip(&this_test("compose"), &reason);
                None
            }
        }
    }

    async fn try_start(docker: Program, dockerd: &Program, unshare: Program, nsenter: Program) -> Result<Self, String> {
        let home = unshare.home().display().to_string();
        let host = format!("unix://{home}/socket");
        let places = format!("--data-root {home}/data --exec-root {home}/exec -p {home}/pid -H {host}");
        let mut daemon = Daemon::start_apart(&unshare, "", &format!("{} --log-level warn {places}", dockerd.path().display())).await?;
        // Old builders are understood by every engine; new ones come with plugins that may not be there.
        let docker = docker.environment("DOCKER_HOST", &host).environment("DOCKER_BUILDKIT", 0);
        daemon.answers(&docker, "version").await?;
        Ok(Self { docker, nsenter, host, daemon, _home: unshare })
    }

    /// Where it listens, as `DOCKER_HOST` wants it.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Runs a command of docker.
    pub(super) async fn run(&self, line: &str) -> String {
        self.docker.run(line).await
    }

    /// Makes an image of a directory.
    pub(super) async fn build(&self, image: &str, dockerfile: &Path, options: &str, context: &Path) {
        self.run(&format!("build -q -t {image} -f {} {options} {}", dockerfile.display(), context.display())).await;
    }

    /// Runs a command line in the engine's network, where the ports of containers are published.
    pub(super) async fn inside(&self, line: &str) -> Result<String, String> {
        self.nsenter.attempt(&format!("--net=/proc/{}/ns/net -- {line}", self.daemon.pid())).await
    }
}

impl Drop for Engine {
    /// Removes what a failed test left running, of which the system would keep traces, and shows what it said.
    fn drop(&mut self) {
        let docker = |arguments: &[&str]| {
            let output = Command::new(self.docker.path()).args(["-H", &self.host]).args(arguments).output().expect("docker runs");
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
        };
        for container in docker(&["ps", "-aq"]).lines() {
            if thread::panicking() {
                let state = docker(&["ps", "-a", "--filter", &format!("id={container}"), "--format", "{{.Names}}: {{.Status}}"]);
                eprintln!("{state}{}", docker(&["logs", "--tail", LOG_LINES, container]));
            }
            docker(&["rm", "-f", container]);
        }
    }
}
