//! The directory of an image layout: written for other tools, and read back when the rows are lost.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use zot_oci::{Algorithm, Digest, RepositoryName};

use super::{Content, FoundIndex, Index, change::Change};
use crate::{
    BlobKey, Error, Result,
    blobs::filesystem::{Durability, create, remove, size},
    layout::{INDEX_FILE, Layout, OCI_LAYOUT_FILE},
};

/// The whole content of an `oci-layout` file (image-spec, "oci-layout file").
const OCI_LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// The largest `index.json` that is read, in bytes: a million tags and more.
const INDEX_BYTES_MAX: u64 = 1 << 30;

/// All image layouts below a root directory. Its methods block.
#[derive(Debug, Clone)]
pub(crate) struct LayoutDirectory {
    layout: Layout,
    durable: bool,
}

impl LayoutDirectory {
    pub(crate) fn new(layout: Layout, durable: bool) -> Self {
        Self { layout, durable }
    }

    /// Makes the repository a layout, if it is none.
    pub(crate) fn create(&self, name: &RepositoryName) -> Result<()> {
        let marker = self.layout.repository(name).join(OCI_LAYOUT_FILE);
        if holds(&marker, OCI_LAYOUT)? {
            return Ok(());
        }
        Durability::new(false).create_directory(&self.layout.repository(name))?;
        self.replace(&marker, OCI_LAYOUT)
    }

    /// Changes the files of a layout.
    pub(super) fn apply(&self, name: &RepositoryName, change: Change) -> Result<()> {
        match change {
            Change::Add(contents) => contents.into_iter().try_for_each(|content| self.add(name, content)),
            Change::Remove(digest) => remove(&self.layout.repository_blob(name, &digest)),
        }
    }

    /// Adds a file to the layout, if it is not there.
    fn add(&self, name: &RepositoryName, content: Content) -> Result<()> {
        let target = self.layout.repository_blob(name, content.digest());
        let there = match &content {
            Content::Linked(..) => size(&target)?.is_some(),
            Content::Written(_, bytes) => holds(&target, bytes)?,
        };
        if there {
            return Ok(());
        }
        Durability::new(false).create_directory(&self.layout.repository_blobs(name, content.digest().algorithm()))?;
        match content {
            Content::Linked(_, at) => link(&self.layout.blob(&at.key), &target),
            // Nothing refers to it before the index is written, and a cut one is written again.
            Content::Written(_, bytes) => write(&target, &bytes),
        }
    }

    pub(crate) fn write_index(&self, name: &RepositoryName, index: &Index) -> Result<()> {
        let path = self.layout.repository(name).join(INDEX_FILE);
        let bytes = serde_json::to_vec(index).map_err(Error::metadata("encode"))?;
        self.replace(&path, &bytes)
    }

    /// Makes everything written so far durable, in one call for all layouts.
    pub(crate) fn sync(&self) -> Result<()> {
        if !self.durable {
            return Ok(());
        }
        let root = File::open(self.layout.root()).map_err(Error::file("open", self.layout.root()))?;
        rustix::fs::syncfs(&root).map_err(|errno| Error::file("sync", self.layout.root())(errno.into()))
    }

    /// Writes a file whole or not at all.
    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let beside = beside(path);
        write(&beside, bytes)?;
        fs::rename(&beside, path).map_err(Error::file("rename to", path))
    }

    /// Every directory that is an image layout and whose path is a repository's name, with that name.
    pub(crate) fn repositories(&self) -> Result<Vec<RepositoryName>> {
        let mut found = Vec::new();
        walk(self.layout.root(), "", &mut found)?;
        Ok(found)
    }

    /// The index of a repository.
    pub(crate) fn index(&self, name: &RepositoryName) -> Result<FoundIndex> {
        let path = self.layout.repository(name).join(INDEX_FILE);
        let file = File::open(&path).map_err(Error::file("open", &path))?;
        let reader = io::BufReader::new(file.take(INDEX_BYTES_MAX));
        serde_json::from_reader(reader).map_err(|error| Error::damaged(format!("file `{}`", path.display()), error))
    }

    /// The files of a repository that are named by a digest, with their sizes.
    pub(crate) fn contents(&self, name: &RepositoryName) -> Result<Vec<(Digest, u64)>> {
        let mut contents = Vec::new();
        for algorithm in Algorithm::ALL {
            let path = self.layout.repository_blobs(name, algorithm);
            for (entry, kind) in entries(&path)? {
                let digest = entry.file_name().and_then(|hex| format!("{algorithm}:{}", hex.to_str()?).parse().ok());
                if let (Some(digest), true) = (digest, kind.is_file()) {
                    contents.extend(size(&entry)?.map(|size| (digest, size)));
                }
            }
        }
        Ok(contents)
    }

    /// A file of a repository, whole; nothing if it is not there.
    pub(crate) fn read(&self, name: &RepositoryName, digest: &Digest) -> Result<Option<Vec<u8>>> {
        let path = self.layout.repository_blob(name, digest);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::file("read", &path)(error)),
        }
    }

    /// When a file of a repository was last written.
    pub(crate) fn modified(&self, name: &RepositoryName, digest: &Digest) -> Result<std::time::SystemTime> {
        let path = self.layout.repository_blob(name, digest);
        let modified = fs::metadata(&path).and_then(|metadata| metadata.modified());
        modified.map_err(Error::file("stat", &path))
    }

    /// Gives a file of a repository a second name in the blob store, if there is none.
    pub(crate) fn keep(&self, name: &RepositoryName, digest: &Digest, key: &BlobKey) -> Result<()> {
        let (shown, kept) = (self.layout.repository_blob(name, digest), self.layout.blob(key));
        if size(&kept)?.is_some() {
            return Ok(());
        }
        if let Some(parent) = kept.parent() {
            Durability::new(false).create_directory(parent)?;
        }
        link(&shown, &kept)
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    create(path)?.write_all(bytes).map_err(Error::file("write", path))
}

/// Whether a file is there and holds exactly `bytes`: one that was not synced before a power cut has its size, but zeros instead.
fn holds(path: &Path, bytes: &[u8]) -> Result<bool> {
    Ok(size(path)? == Some(bytes.len() as u64) && fs::read(path).map_err(Error::file("read", path))? == bytes)
}

/// Gives a file a second name, or a copy of it where the file system cannot (no hard links, too many, another file system).
fn link(from: &Path, to: &Path) -> Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::file("link", from)(error)),
        Err(_) => copy(from, to),
        Ok(()) => Ok(()),
    }
}

/// Copies a file whole or not at all.
fn copy(from: &Path, to: &Path) -> Result<()> {
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

fn walk(directory: &Path, name: &str, found: &mut Vec<RepositoryName>) -> Result<()> {
    let is_layout = directory.join(INDEX_FILE).is_file() && directory.join(OCI_LAYOUT_FILE).is_file();
    if let (true, Ok(name)) = (is_layout, name.parse()) {
        found.push(name);
    }
    for (path, kind) in entries(directory)? {
        let Some(component) = path.file_name().and_then(|component| component.to_str()) else {
            continue;
        };
        // Directories of ours and of other tools start with `_` or a dot, which no repository does.
        if kind.is_dir() && !component.starts_with(['_', '.']) {
            let name = if name.is_empty() { component.to_owned() } else { format!("{name}/{component}") };
            walk(&path, &name, found)?;
        }
    }
    Ok(())
}

/// The entries of a directory, none if it is not there.
fn entries(path: &Path) -> Result<Vec<(PathBuf, fs::FileType)>> {
    let listed = match fs::read_dir(path) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file("list", path)(error)),
    };
    let entry = |entry: io::Result<fs::DirEntry>| {
        let entry = entry?;
        Ok((entry.path(), entry.file_type()?))
    };
    listed.map(entry).collect::<io::Result<_>>().map_err(Error::file("list", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_a_power_cut_filled_with_zeros_is_written_again() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let directory = LayoutDirectory::new(layout.clone(), false);
        let (name, bytes): (RepositoryName, &'static [u8]) = ("a".parse().unwrap(), b"content");
        let digest = Digest::sha256(bytes);
        directory.create(&name).unwrap();
        directory.add(&name, Content::Written(digest, bytes::Bytes::from_static(bytes))).unwrap();
        let marker = layout.repository(&name).join(OCI_LAYOUT_FILE);
        fs::write(layout.repository_blob(&name, &digest), [0; 7]).unwrap();
        fs::write(&marker, [0; OCI_LAYOUT.len()]).unwrap();

        directory.create(&name).unwrap();
        directory.add(&name, Content::Written(digest, bytes::Bytes::from_static(bytes))).unwrap();
        assert_eq!(directory.read(&name, &digest).unwrap().unwrap(), bytes);
        assert_eq!(fs::read(marker).unwrap(), OCI_LAYOUT);
    }

    #[test]
    fn a_copy_that_fails_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let to = root.path().join("to");
        assert!(copy(root.path(), &to).is_err());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
