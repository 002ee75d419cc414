//! Where the binaries under test are, and running it to its end.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
};

/// Names the `zot` to test, with the other binaries beside it, instead of those that cargo built beside the tests.
const BINARY: &str = "ZOT_TEST_BINARY";

/// What a run of the binary came to.
#[derive(Debug)]
pub struct Output {
    /// Its exit code; nothing if a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it printed as errors.
    pub stderr: String,
}

/// A command of the `zot` binary, without arguments.
pub fn command() -> Command {
    program("zot")
}

/// The same, of a process that may not have more than `descriptors_max` files and connections open.
pub(super) fn command_within(descriptors_max: u32) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("ulimit -n {descriptors_max} && exec \"$0\" \"$@\"")).arg(binary("zot")).stdin(Stdio::null());
    command
}

/// A command of one of the binaries, without arguments.
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(binary(name));
    command.stdin(Stdio::null());
    command
}

/// Runs `zot` with these arguments to its end.
pub fn run(arguments: &[&str]) -> Output {
    let mut command = command();
    command.args(arguments);
    finished(command)
}

/// What a command came to when it ended.
pub(super) fn finished(mut command: Command) -> Output {
    let output = command.output().expect("the zot binary");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("readable output");
    Output { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Whether any user can run the binary: every directory above lets everybody through.
pub fn everybody_can_run() -> bool {
    let is_open = |path: &std::path::Path| fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o001 != 0);
    binary("zot").ancestors().all(is_open)
}

fn binary(name: &str) -> PathBuf {
    let all_in_one = env::var_os(BINARY).map_or_else(beside_the_tests, PathBuf::from);
    let binary = if name == "zot" { all_in_one } else { all_in_one.with_file_name(name) };
    assert!(
        binary.is_file(),
        "no binary at {}: run `cargo build --workspace` first (tests/run does), or name one in {BINARY}",
        binary.display()
    );
    binary
}

/// Test executables are in `target/PROFILE/deps`, programs one above.
fn beside_the_tests() -> PathBuf {
    let test = env::current_exe().expect("the test's own path");
    test.ancestors().nth(2).expect("the build directory").join("zot")
}
