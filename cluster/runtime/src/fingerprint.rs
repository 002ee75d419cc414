//! Whether files are still those that were read, by what the system knows of them and without reading them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What tells one state of some files from another; links are followed, so that a swapped link changes it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(Vec<Option<FileState>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct FileState {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// Also moves when a file is written within the resolution of, or with a forged, modification time.
    changed: (i64, i64),
}

impl Fingerprint {
    /// The state that the files are in, present or not.
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        Self(paths.into_iter().map(|path| fs::metadata(path).ok().map(|metadata| FileState::of(&metadata))).collect())
    }
}

impl FileState {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}
