//! Files of image layouts: written whole or not at all, linked where the file system can.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use zot_oci::{Algorithm, Digest, Hasher};

use crate::{
    Error, Result,
    blobs::{
        PIECE_BYTES,
        filesystem::{create, remove, size},
    },
};

/// The digest of a file's content; nothing if it is not there.
pub(super) fn digest_of(path: &Path, algorithm: Algorithm) -> Result<Option<Digest>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file("open", path)(error)),
    };
    let (mut hasher, mut piece) = (Hasher::new(algorithm), vec![0; PIECE_BYTES]);
    loop {
        let length = file.read(&mut piece).map_err(Error::file("read", path))?;
        match piece.get(..length) {
            Some(read) if !read.is_empty() => hasher.update(read),
            _ => return Ok(Some(hasher.finish())),
        }
    }
}

/// Writes a file whole or not at all.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = beside(path);
    write(&beside, bytes)?;
    fs::rename(&beside, path).map_err(Error::file("rename to", path))
}

pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    create(path)?.write_all(bytes).map_err(Error::file("write", path))
}

/// Whether a file is there and holds exactly `bytes`: one that was not synced before a power cut has its size, but zeros instead.
pub(super) fn holds(path: &Path, bytes: &[u8]) -> Result<bool> {
    Ok(size(path)? == Some(bytes.len() as u64) && fs::read(path).map_err(Error::file("read", path))? == bytes)
}

/// Gives a file a second name, or a copy of it where the file system cannot (no hard links, too many, another file system).
pub(super) fn link(from: &Path, to: &Path) -> Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::file("link", from)(error)),
        Err(_) => copy(from, to),
        Ok(()) => Ok(()),
    }
}

/// Copies a file whole or not at all.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    let beside = beside(to);
    let copied = fs::copy(from, &beside).map_err(Error::file("copy", from));
    let named = copied.and_then(|_| fs::rename(&beside, to).map_err(Error::file("rename to", to)));
    // The failure that matters is already in hand.
    named.inspect_err(|_| drop(remove(&beside)))
}

/// Where a file is written before it gets its name. No repository has a component that starts with a dot, so the name is free.
fn beside(path: &Path) -> PathBuf {
    path.with_file_name(format!(".{}.new", path.file_name().unwrap_or_default().to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_fails_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let to = root.path().join("to");
        assert!(copy(root.path(), &to).is_err());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
