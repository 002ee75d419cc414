//! A file system in a file, mounted for as long as it is wanted.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use super::{Flavour, command, run, try_run};

/// A mounted file system. Dropping it unmounts it.
#[derive(Debug)]
pub(super) struct Mount {
    /// Where it is mounted.
    pub(super) path: PathBuf,
    /// The file that it is in.
    pub(super) device: PathBuf,
    options: String,
}

impl Mount {
    /// Makes a file system of `mebibytes` in a file of `directory`, and mounts it beside the file.
    pub(super) fn make(directory: &Path, name: &str, mebibytes: u64, flavour: Flavour) -> Result<Self, String> {
        let device = directory.join(format!("{name}.device"));
        let sized = File::create(&device).and_then(|file| file.set_len(mebibytes << 20));
        sized.map_err(|error| format!("cannot make a file for a disk: {error}"))?;
        // No blocks are kept for root, which would be us: full is full.
        try_run(command("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&device))?;
        let mount = Self { path: directory.join(name), device, options: format!("loop{}", flavour.0) };
        fs::create_dir(&mount.path).map_err(|error| format!("cannot make a directory to mount at: {error}"))?;
        mount.mount()?;
        Ok(mount)
    }

    pub(super) fn mount(&self) -> Result<(), String> {
        try_run(command("mount").args(["-t", "ext4", "-o", &self.options]).arg(&self.device).arg(&self.path))
    }

    pub(super) fn unmount(&self) -> Result<(), String> {
        try_run(command("umount").arg(&self.path))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // At the end of a failed test files may still be open; the mount is then gone as soon as they are closed.
        if self.unmount().is_err() {
            try_run(command("umount").arg("--lazy").arg(&self.path)).ok();
        }
    }
}

/// A file system to which nothing is written for as long as this lives: whoever tries waits.
pub(super) struct Still<'a>(&'a Path);

impl<'a> Still<'a> {
    pub(super) fn new(path: &'a Path) -> Self {
        run(command("fsfreeze").arg("--freeze").arg(path));
        Self(path)
    }
}

impl Drop for Still<'_> {
    fn drop(&mut self) {
        run(command("fsfreeze").arg("--unfreeze").arg(self.0));
    }
}
