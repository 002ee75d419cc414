//! The servers under load: one process or several, started with a fresh directory, observed from outside, always ended.

mod config;
pub(crate) mod guests;
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
use self::guests::Guests;
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
    /// Whether its servers let users in by everything that they can show.
    has_guests: bool,
}

impl Side {
    /// A side of the comparison.
    pub(crate) fn new(is_us: bool, program: PathBuf, dialect: Dialect) -> Self {
        let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
        Self { is_us, name, program, dialect, has_guests: false }
    }

    /// The same program, whose servers let users in by everything that they can show.
    pub(crate) fn with_guests(self) -> Self {
        Self { has_guests: true, ..self }
    }

    /// Starts the program with an empty directory below `scratch` and waits until it answers.
    pub(crate) fn start(&self, scratch: &Path) -> anyhow::Result<Server> {
        let directory = tempfile::Builder::new().prefix("server-").tempdir_in(scratch)?;
        let (address, inner) = (free_address()?, free_address()?);
        let config = directory.path().join(self.dialect.file_name());
        let text = self.dialect.render(&directory.path().join("data"), [address.port(), inner.port()]);
        let guests = self.has_guests.then(Guests::start).transpose()?;
        let text = match &guests {
            Some(guests) => guests.configure(&text, directory.path())?,
            None => text,
        };
        fs::write(&config, text).with_context(|| format!("write {}", config.display()))?;

        let mut server = Server { children: Vec::new(), address, directory, guests };
        for program in self.dialect.programs(&self.program) {
            server.spawn(&program, &config)?;
        }
        server.wait_until_ready(self.dialect.ready_path()).with_context(|| format!("start {}", self.name))?;
        Ok(server)
    }
}

/// A running server, killed and its directory removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    children: Vec<Child>,
    address: SocketAddr,
    directory: TempDir,
    guests: Option<Guests>,
}

impl Server {
    fn spawn(&mut self, program: &Path, config: &Path) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(self.directory.path().join("log"))?;
        let child = Command::new(program)
            .arg("serve")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Its own group: a terminal's ctrl-c reaches us first, and we end it.
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        self.children.push(child);
        Ok(())
    }

    /// A new client of this server.
    pub(crate) fn session(&self) -> Session {
        Session::new(self.address).with_token(self.guests.as_ref().map(Guests::token))
    }

    /// The process that stores.
    pub(crate) fn pid(&self) -> u32 {
        self.children[0].id()
    }

    /// What the processes have spent so far.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        self.children.iter().map(|child| Usage::of(child.id())).sum()
    }

    /// What the processes hold, and have held at most since the last call of `forget_peak`.
    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        self.children.iter().map(|child| Memory::of(child.id())).sum()
    }

    /// Starts a new peak of memory from here.
    pub(crate) fn forget_peak(&self) -> anyhow::Result<()> {
        self.children.iter().try_for_each(|child| usage::forget_peak(child.id()))
    }

    fn wait_until_ready(&mut self, path: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_MAX;
        loop {
            if self.session().get(path).is_ok() {
                return Ok(());
            }
            for child in &mut self.children {
                if let Some(status) = child.try_wait()? {
                    bail!("it ended with {status}: {}", self.log());
                }
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
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// An address that nobody listened on a moment ago.
fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    Ok(listener.local_addr()?)
}
