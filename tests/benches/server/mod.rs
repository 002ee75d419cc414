//! The servers under load: started with a fresh directory, observed from outside, always ended.

mod config;
mod usage;

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tempfile::TempDir;

pub(crate) use self::config::Dialect;
pub(crate) use self::usage::{Memory, Usage, machine_cpu, own_cpu};
use crate::session::Session;

const START_MAX: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);

/// One of the two programs compared.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    /// Whether it is the program under test.
    pub(crate) is_us: bool,
    /// The program's file name, as the report calls it.
    pub(crate) name: String,
    program: PathBuf,
    dialect: Dialect,
}

impl Side {
    /// A side of the comparison.
    pub(crate) fn new(is_us: bool, program: PathBuf, dialect: Dialect) -> Self {
        let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
        Self { is_us, name, program, dialect }
    }

    /// Starts the program with an empty directory below `scratch` and waits until it answers.
    pub(crate) fn start(&self, scratch: &Path) -> anyhow::Result<Server> {
        let directory = tempfile::Builder::new().prefix("server-").tempdir_in(scratch)?;
        let address = free_address()?;
        let config = directory.path().join(self.dialect.file_name());
        let text = self.dialect.render(&directory.path().join("data"), address.port());
        fs::write(&config, text).with_context(|| format!("write {}", config.display()))?;

        let log = directory.path().join("log");
        let child = Command::new(&self.program)
            .arg("serve")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(File::create(&log)?)
            .stderr(File::options().append(true).open(&log)?)
            // Its own group: a terminal's ctrl-c reaches us first, and we end it.
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {}", self.program.display()))?;
        let mut server = Server { child, address, directory };
        server.wait_until_ready().with_context(|| format!("start {}", self.name))?;
        Ok(server)
    }
}

/// A running server, killed and its directory removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
}

impl Server {
    /// A new client of this server.
    pub(crate) fn session(&self) -> Session {
        Session::new(self.address)
    }

    /// The process to observe.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the process has spent so far.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.pid())
    }

    /// What the process holds, and has held at most since the last call of `forget_peak`.
    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        Memory::of(self.pid())
    }

    /// Starts a new peak of memory from here.
    pub(crate) fn forget_peak(&self) -> anyhow::Result<()> {
        usage::forget_peak(self.pid())
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_MAX;
        loop {
            if self.session().get("/v2/").is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}: {}", self.log());
            }
            if Instant::now() > deadline {
                bail!("it did not answer within {START_MAX:?}: {}", self.log());
            }
            thread::sleep(POLL);
        }
    }

    fn log(&self) -> String {
        let text = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        let tail: Vec<_> = text.lines().rev().take(5).collect();
        tail.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its data goes with it, so there is nothing to end in good order; a process that is gone
        // already is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody listened on a moment ago.
fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    Ok(listener.local_addr()?)
}
