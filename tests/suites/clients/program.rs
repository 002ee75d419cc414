//! Client programs: found or skipped by name, run in a home of their own, bounded in time.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    thread,
    time::Duration,
};

use tempfile::TempDir;
use tokio::{process::Command, time::timeout};
use zot_tests::skip::{find_program, skip};

/// How long one command may take: far more than any should, for machines under load.
const PATIENCE: Duration = Duration::from_secs(300);
/// Names the directory with the programs that are not on the search path.
const DIRECTORY: &str = "ZOT_TEST_CLIENTS";

/// A client. It leaves nothing behind.
pub(crate) struct Program {
    name: String,
    path: PathBuf,
    home: TempDir,
    environment: Vec<(String, String)>,
}

impl Program {
    /// The program `name`, or nothing after saying that this test is skipped.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let path = locate(name);
        if path.is_none() {
            skip(&this_test(name), &format!("{name} is not installed (tests/install/clients.sh does)"));
        }
        let home = tempfile::Builder::new().prefix("zot-client-").tempdir().expect("a temporary directory");
        Some(Self { name: name.to_owned(), path: path?, home, environment: Vec::new() })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A directory of its own, where its commands also run.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Sets an environment variable for all its commands.
    pub(crate) fn environment(mut self, name: &str, value: impl ToString) -> Self {
        self.environment.push((name.to_owned(), value.to_string()));
        self
    }

    /// Runs a command, given as it would be typed but without quoting, and gives what it printed. It must succeed.
    pub(crate) async fn run(&self, line: &str) -> String {
        let output = self.output(line).await;
        assert!(output.status.success(), "{} {line}: {}\n{}{}", self.name, output.status, stdout(&output), stderr(&output));
        stdout(&output)
    }

    /// Runs a command that may fail, and gives what it printed or what it complained of.
    pub(crate) async fn attempt(&self, line: &str) -> Result<String, String> {
        let output = self.output(line).await;
        if output.status.success() { Ok(stdout(&output)) } else { Err(stderr(&output).trim().to_owned()) }
    }

    /// Runs a command that must fail, and gives what it said.
    pub(crate) async fn refused(&self, line: &str) -> String {
        let output = self.output(line).await;
        assert!(!output.status.success(), "{} {line} did not fail\n{}{}", self.name, stdout(&output), stderr(&output));
        stdout(&output) + &stderr(&output)
    }

    /// The program as a command, without arguments.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.current_dir(self.home()).env("HOME", self.home()).env("XDG_RUNTIME_DIR", self.home()).env("TMPDIR", self.home());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    async fn output(&self, line: &str) -> Output {
        let running = self.command().args(line.split_whitespace()).output();
        let output = timeout(PATIENCE, running).await;
        output.unwrap_or_else(|_| panic!("{} {line} takes longer than {PATIENCE:?}", self.name)).expect("the program starts")
    }
}

/// Where a program is: beside the build, on the search path, or where administrators' programs are.
pub(crate) fn locate(name: &str) -> Option<PathBuf> {
    let ours = env::var_os(DIRECTORY).map_or_else(|| build_directory().join("clients/bin"), PathBuf::from);
    let elsewhere = [ours, "/usr/sbin".into(), "/usr/local/go/bin".into()];
    let mut candidates = elsewhere.iter().map(|directory| directory.join(name));
    candidates.next().filter(|path| path.is_file()).or_else(|| find_program(name)).or_else(|| candidates.find(|path| path.is_file()))
}

/// Where cargo builds: test executables are in `PROFILE/deps` of it.
pub(crate) fn build_directory() -> PathBuf {
    let test = env::current_exe().expect("the test's own path");
    test.ancestors().nth(3).expect("the build directory").to_owned()
}

/// A program of this project, where cargo puts it.
pub(crate) fn built(name: &str) -> PathBuf {
    let test = env::current_exe().expect("the test's own path");
    test.ancestors().nth(2).expect("the profile's directory").join(name)
}

/// The name of the running test, or `otherwise` where the harness runs it without a thread of its own.
pub(crate) fn this_test(otherwise: &str) -> String {
    thread::current().name().filter(|name| *name != "main").unwrap_or(otherwise).to_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
