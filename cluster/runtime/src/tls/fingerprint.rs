//! Whether a file is still the one that was read, by what the system knows of it and without reading it.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::TlsFiles;

/// What tells one state of the files from another; links are followed, so that a swapped link changes it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint(Vec<Option<FileState>>);

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
    pub(super) fn of(files: &TlsFiles) -> Self {
        let paths = [&files.cert, &files.key].into_iter().chain(&files.client_ca);
        Self(paths.map(|path| fs::metadata(path).ok().map(|metadata| FileState::of(&metadata))).collect())
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
