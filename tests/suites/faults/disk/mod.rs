//! A disk of its own: a file system in a file, mounted for one test, that can be filled, frozen against changes, fail, or lose its power.
//!
//! The file that is the device lies in a second file system of the same kind. While that one is frozen (`fsfreeze`), nothing can be written to the
//! device, so that a copy of the file is what the device holds at one instant. Mounted again, it is the disk after a power cut: what the
//! registry's file system had only in memory is gone.

mod frozen;
mod mount;
mod tests;

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;
use zot_tests::{
    Sandbox,
    sandbox::{Builder, OUTAGE},
    skip::{find_program, skip},
};

pub(crate) use self::frozen::Frozen;
use self::mount::{Mount, Still};

/// What is needed to make, freeze and break a disk.
const PROGRAMS: [&str; 7] = ["mkfs.ext4", "mount", "umount", "fsfreeze", "chattr", "cp", "perl"];

/// `FS_IOC_SHUTDOWN` with `FS_SHUTDOWN_FLAGS_NOLOGFLUSH` (linux/fs.h), by the one interpreter that every Debian has.
const SHUT_DOWN: &str = r#"use Fcntl; sysopen(my $f, $ARGV[0], O_RDONLY) or die "open: $!"; my $flags = pack("L", 2); ioctl($f, 0x8004587d, $flags) or die "ioctl: $!";"#;

/// What a registry logs as an error when its disk fails; anything else, a panic above all, fails the test.
const STORAGE_ERRORS: [&str; 2] = ["could not commit metadata, opening the store again", "could not open the metadata store again"];

/// How a file system is mounted, besides `loop`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flavour(&'static str);

/// ext4 as everybody has it.
pub(crate) const PLAIN: Flavour = Flavour("");
/// Nothing is written but what is asked for: no periodic commit, no flush when a file is renamed over another.
pub(crate) const LAZY: Flavour = Flavour(",noauto_da_alloc,commit=300");

/// A mounted file system. Dropping it unmounts it and removes its file.
#[derive(Debug)]
pub(crate) struct Disk {
    // In the order in which they have to go.
    disk: Mount,
    outer: Mount,
    directory: TempDir,
}

/// What a device held at one instant.
#[derive(Debug)]
pub(crate) struct Copy(PathBuf);

impl Disk {
    /// A new file system of `mebibytes`. Says why not, as a skip of the test `name`, where the machine does not allow it.
    pub(crate) fn new(name: &str, mebibytes: u64, flavour: Flavour) -> Option<Self> {
        match Self::make(mebibytes, flavour) {
            Ok(disk) => Some(disk),
            Err(reason) => {
                skip(name, &format!("no disk of its own can be made here ({reason})"));
                None
            }
        }
    }

    fn make(mebibytes: u64, flavour: Flavour) -> Result<Self, String> {
        for program in PROGRAMS {
            find(program).ok_or_else(|| format!("there is no program {program}"))?;
        }
        let directory = tempfile::Builder::new().prefix("zot-disk-").tempdir().expect("a temporary directory");
        let outer = Mount::make(directory.path(), "outer", 2 * mebibytes, PLAIN)?;
        let disk = Mount::make(&outer.path, "disk", mebibytes, flavour)?;
        Ok(Self { disk, outer, directory })
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        &self.disk.path
    }

    /// A registry that keeps everything on it, and may say that it cannot.
    pub(crate) fn sandbox(&self) -> Builder {
        let builder = Sandbox::builder().root(&self.path().join("root")).set("/log/level", "warn");
        STORAGE_ERRORS.into_iter().chain(OUTAGE).fold(builder, Builder::tolerate_errors)
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Copies the device as it is at one instant between the call and the return.
    pub(crate) fn copy(&self) -> Copy {
        let copy = self.directory.path().join("copy");
        let still = Still::new(&self.outer.path);
        run(command("cp").arg("--sparse=always").arg(&self.disk.device).arg(&copy));
        drop(still);
        Copy(copy)
    }

    /// Goes on from a copy, as a machine does when the power is back. Nothing may have a file of the disk open.
    pub(crate) fn go_on_from(&self, copy: &Copy) {
        self.disk.unmount().expect("a disk that nobody uses");
        run(command("cp").arg("--sparse=always").arg(&copy.0).arg(&self.disk.device));
        self.disk.mount().expect("a journal that can be replayed");
    }

    /// Lets every access fail from now on, as a device does that is gone.
    pub(crate) fn fail(&self) {
        run(command("perl").arg("-e").arg(SHUT_DOWN).arg(self.path()));
    }

    /// Mounts it anew after it failed. Nothing may have a file of it open.
    pub(crate) fn mount_again(&self) {
        self.disk.unmount().expect("a disk that nobody uses");
        self.disk.mount().expect("a journal that can be replayed");
    }

    /// Writes everything that waits, as the kernel does at times of its own.
    pub(crate) fn write_back(&self) {
        run(command("sync").arg("-f").arg(self.path()));
    }

    /// Takes all free space but `left` bytes.
    pub(crate) fn fill(&self, left: u64) {
        let mut filler = File::options().create(true).append(true).open(self.filler()).expect("a file");
        for piece in [1 << 20, 64 << 10, 4096, 1024_usize] {
            let piece = vec![0xa5; piece];
            while filler.write_all(&piece).inspect_err(|error| assert_eq!(error.kind(), ErrorKind::StorageFull)).is_ok() {}
        }
        let size = filler.metadata().expect("a size").len();
        filler.set_len(size.saturating_sub(left)).expect("a shorter filler");
        filler.sync_all().expect("a filler on the disk");
    }

    /// Gives the space back.
    pub(crate) fn free(&self) {
        fs::remove_file(self.filler()).expect("the filler");
    }
}

/// Programs of the administrator may not be in the search path of a user.
fn find(program: &str) -> Option<PathBuf> {
    let administrators = ["/usr/sbin", "/sbin"].map(|directory| Path::new(directory).join(program));
    find_program(program).or_else(|| administrators.into_iter().find(|path| path.is_file()))
}

fn command(program: &str) -> Command {
    Command::new(find(program).unwrap_or_else(|| program.into()))
}

/// Runs a program to its end; an error is the first thing that it said.
fn try_run(command: &mut Command) -> Result<(), String> {
    let Output { status, stderr, .. } = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&stderr);
    Err(said.lines().next().map_or_else(|| format!("{command:?}: {status}"), str::to_owned))
}

fn run(command: &mut Command) {
    try_run(command).expect("a disk that was mounted before");
}
