//! A file or directory that refuses every change (the immutable flag), also to root and to those who have it open.

use std::path::{Path, PathBuf};

use super::{command, try_run};

/// A file or directory that cannot be changed for as long as this lives.
#[derive(Debug)]
pub(crate) struct Frozen(PathBuf);

impl Frozen {
    pub(crate) fn new(path: &Path) -> Self {
        try_run(command("chattr").arg("+i").arg(path)).expect("a file system of ours, where files can be frozen");
        Self(path.to_owned())
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // A file that is gone needs no thaw.
        try_run(command("chattr").arg("-i").arg(&self.0)).ok();
    }
}
