//! Getting the suite: it is a Go module, pinned to a version, built once and kept beside the build.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{process::Command, sync::Mutex, time::timeout};

use crate::program::{build_directory, locate};

const MODULE: &str = "github.com/opencontainers/distribution-spec/conformance";
/// How long the build may take, downloads included.
const PATIENCE: Duration = Duration::from_secs(300);

/// One version of the suite.
pub(super) struct Suite {
    /// The version of the Go module.
    pub(super) version: &'static str,
    /// What makes a program of it.
    build: &'static [&'static str],
    /// Names a program that was built by other means.
    variable: &'static str,
}

/// The main branch: a program that knows the profiles 1.1 and dev.
pub(super) const MAIN: Suite = Suite { version: "v0.0.0-20260730175803-fee21197eb94", build: &["build"], variable: "ZOT_CONFORMANCE_MAIN" };

/// Release 1.1.1 of the specification: a Go test.
pub(super) const RELEASE_1_1_1: Suite =
    Suite { version: "v0.0.0-20250123160558-a139cc423184", build: &["test", "-c"], variable: "ZOT_CONFORMANCE_1_1_1" };

/// Two builds at once would only take turns.
static BUILDING: Mutex<()> = Mutex::const_new(());

impl Suite {
    /// The program, or why there is none.
    pub(super) async fn program(&self) -> Result<PathBuf, String> {
        if let Some(program) = env::var_os(self.variable) {
            return Ok(program.into());
        }
        let directory = build_directory().join("conformance").join(self.version);
        let program = directory.join("conformance");
        let _turn = BUILDING.lock().await;
        if !program.is_file() {
            self.compile(&directory, &program).await?;
        }
        Ok(program)
    }

    async fn compile(&self, directory: &Path, program: &Path) -> Result<(), String> {
        let go = locate("go").ok_or("go is not installed")?;
        self.write_module(directory).map_err(|error| format!("cannot write {}: {error}", directory.display()))?;
        // Under another name until it is whole: the build may be interrupted.
        let unfinished = directory.join("unfinished");
        let mut command = Command::new(go);
        command.current_dir(directory).args(self.build).args(["-mod=mod", "-o"]).arg(&unfinished).arg(MODULE).kill_on_drop(true);
        let output = timeout(PATIENCE, command.output()).await.map_err(|_| format!("go takes longer than {PATIENCE:?}"))?;
        let output = output.map_err(|error| format!("go does not start: {error}"))?;
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr);
            return Err(format!("go cannot build {MODULE} {}: {}", self.version, told.lines().last().unwrap_or_default().trim()));
        }
        fs::rename(unfinished, program).map_err(|error| format!("cannot keep the suite: {error}"))
    }

    /// A module that requires nothing but the suite, so that exactly this version is built.
    fn write_module(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        fs::write(directory.join("go.mod"), format!("module conformance\n\ngo 1.24.0\n\nrequire {MODULE} {}\n", self.version))
    }
}
