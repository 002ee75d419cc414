//! A disk of its own: a file system in a file, mounted for one test, that can be filled, frozen against changes, or lose its power.
//!
//! The power cut is the file system's own shutdown (`FS_IOC_SHUTDOWN` without flushing its log, what xfstests call "godown"): from that instant
//! nothing reaches the device any more, and after mounting again only what was synced, or happened to be written before, is there.

mod frozen;
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
    sandbox::Builder,
    skip::{find_program, skip},
};

pub(crate) use self::frozen::Frozen;

/// `FS_IOC_SHUTDOWN` with `FS_SHUTDOWN_FLAGS_NOLOGFLUSH` (linux/fs.h), by the one interpreter that every Debian has.
const SHUT_DOWN: &str = r#"use Fcntl; sysopen(my $f, $ARGV[0], O_RDONLY) or die "open: $!"; my $flags = pack("L", 2); ioctl($f, 0x8004587d, $flags) or die "ioctl: $!";"#;

/// What a registry logs as an error when its disk fails; anything else, a panic above all, fails the test.
const STORAGE_ERRORS: [&str; 4] = [
    "could not commit metadata, opening the store again",
    "could not open the metadata store again",
    "could not bring image layouts up to date, trying again",
    "could not give up abandoned uploads",
];

/// How a file system is made and mounted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flavour {
    /// Options of `mkfs.ext4`.
    pub(crate) make: &'static [&'static str],
    /// Options of `mount`, besides `loop`.
    pub(crate) mount: &'static str,
}

/// ext4 as everybody has it.
pub(crate) const PLAIN: Flavour = Flavour { make: &[], mount: "" };
/// Nothing is written but what is asked for: no periodic commit, no flush when a file is renamed over another.
pub(crate) const LAZY: Flavour = Flavour { make: &[], mount: ",noauto_da_alloc,commit=300" };
/// The same, and an fsync writes what the file needs and not the whole journal: a directory that was not synced is lost.
pub(crate) const LAZIEST: Flavour = Flavour { make: &["-O", "fast_commit"], mount: LAZY.mount };

/// A mounted file system. Dropping it unmounts it and removes its file.
#[derive(Debug)]
pub(crate) struct Disk {
    directory: TempDir,
    flavour: Flavour,
}

impl Disk {
    /// A new file system of `mebibytes`. Says why not, as a skip of the test `name`, where the machine does not allow it.
    pub(crate) fn new(name: &str, mebibytes: u64, flavour: Flavour) -> Option<Self> {
        match Self::make(mebibytes, flavour) {
            Ok(disk) => Some(disk),
            Err(reason) => {
                skip(name, &reason);
                None
            }
        }
    }

    fn make(mebibytes: u64, flavour: Flavour) -> Result<Self, String> {
        for program in ["mkfs.ext4", "mount", "umount", "chattr", "perl"] {
            find(program).ok_or_else(|| format!("there is no program {program}"))?;
        }
        let directory = tempfile::Builder::new().prefix("zot-disk-").tempdir().expect("a temporary directory");
        let disk = Self { directory, flavour };
        let device = File::create(disk.device()).and_then(|file| file.set_len(mebibytes << 20));
        device.map_err(|error| format!("cannot make a file for a disk: {error}"))?;
        fs::create_dir(disk.path()).expect("a directory to mount at");
        // No blocks are kept for root, which would be us: full is full.
        let mut make = command("mkfs.ext4");
        try_run(make.args(["-q", "-F", "-m", "0"]).args(flavour.make).arg(disk.device()))?;
        disk.try_mount()?;
        Ok(disk)
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("mounted")
    }

    /// A registry that keeps everything on it, and may say that it cannot.
    pub(crate) fn sandbox(&self) -> Builder {
        let builder = Sandbox::builder().root(&self.path().join("root")).set("/log/level", "warn");
        STORAGE_ERRORS.iter().fold(builder, |builder, message| builder.tolerate_errors(message))
    }

    fn device(&self) -> PathBuf {
        self.directory.path().join("device")
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    fn try_mount(&self) -> Result<(), String> {
        let options = format!("loop{}", self.flavour.mount);
        try_run(command("mount").args(["-t", "ext4", "-o", &options]).arg(self.device()).arg(self.path()))
    }

    /// Cuts its power, now.
    pub(crate) fn cut_power(&self) {
        run(command("perl").arg("-e").arg(SHUT_DOWN).arg(self.path()));
    }

    /// Mounts it anew, as a machine does when the power is back. Nothing may have a file of it open.
    pub(crate) fn mount_again(&self) {
        run(command("umount").arg(self.path()));
        self.try_mount().expect("a journal that can be replayed");
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

impl Drop for Disk {
    fn drop(&mut self) {
        // At the end of a failed test files may still be open; the mount is then gone as soon as they are closed.
        if try_run(command("umount").arg(self.path())).is_err() {
            try_run(command("umount").arg("--lazy").arg(self.path())).ok();
        }
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

fn try_run(command: &mut Command) -> Result<(), String> {
    let Output { status, stderr, .. } = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&stderr);
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {}", said.trim())) }
}

fn run(command: &mut Command) {
    try_run(command).expect("a disk that was mounted before");
}
