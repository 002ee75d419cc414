//! Nothing outlives a test binary, however it ends: a shell holds the other end of a pipe, and when that closes it kills and removes what is left.

use std::{
    fmt::Display,
    io::Write as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Mutex, OnceLock},
};

/// Lines `kill PID`, `spare PID` and `remove PATH` until the pipe closes. The signals of a terminal are for the tests alone.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
processes=' '
while read -r what value; do
  case $what in
    kill) processes="$processes$value " ;;
    spare) case $processes in *" $value "*) processes="${processes%% "$value" *} ${processes#* "$value" }" ;; esac ;;
    remove) set -- "$@" "$value" ;;
  esac
done
for process in $processes; do kill -9 "$process" 2>/dev/null; done
for path; do rm -rf -- "$path"; done
"#;

static GUARDIAN: OnceLock<Mutex<Child>> = OnceLock::new();

/// From now on the process `pid` ends with this one.
pub(crate) fn kill(pid: u32) {
    tell("kill", pid);
}

/// The process `pid` has ended: its number may become that of another.
pub(crate) fn spare(pid: u32) {
    tell("spare", pid);
}

/// Whatever is at `path` when this process ends is removed: for what statics hold, which are never dropped.
pub fn remove(path: &Path) {
    tell("remove", path.display());
}

fn tell(what: &str, value: impl Display) {
    let guardian = GUARDIAN.get_or_init(|| Mutex::new(start()));
    let mut guardian = guardian.lock().expect("nobody panics while telling");
    let pipe = guardian.stdin.as_mut().expect("a pipe");
    writeln!(pipe, "{what} {value}").expect("the guardian listens");
}

fn start() -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, "guardian"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("a shell")
}
