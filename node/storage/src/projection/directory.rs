//! The directory of an image layout: written for other tools, and read back when the rows are lost.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use zot_oci::{Algorithm, Digest, RepositoryName};

use super::{Content, Index};
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
        if marker.is_file() {
            return Ok(());
        }
        Durability::new(false).create_directory(&self.layout.repository(name))?;
        self.replace(&marker, OCI_LAYOUT)
    }

    /// Adds a file to the layout, if it is not there.
    pub(crate) fn add(&self, name: &RepositoryName, content: Content) -> Result<()> {
        let (digest, length) = match &content {
            Content::Linked(digest, _) => (digest, None),
            Content::Written(digest, bytes) => (digest, Some(bytes.len() as u64)),
        };
        let target = self.layout.repository_blob(name, digest);
        match size(&target)? {
            // Written files may be cut after a power cut; links show what the blob store has.
            Some(found) if length.is_none_or(|length| length == found) => return Ok(()),
            _ => Durability::new(false).create_directory(&self.layout.repository_blobs(name, digest.algorithm()))?,
        }
        match content {
            Content::Linked(_, key) => link(&self.layout.blob(&key), &target),
            Content::Written(_, bytes) => self.replace(&target, &bytes),
        }
    }

    pub(crate) fn remove(&self, name: &RepositoryName, digest: &Digest) -> Result<()> {
        remove(&self.layout.repository_blob(name, digest))
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
        // No repository has a component that starts with a dot, so the name is free.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = path.with_file_name(format!(".{name}.new"));
        let mut file = create(&beside)?;
        file.write_all(bytes).map_err(Error::file("write", &beside))?;
        fs::rename(&beside, path).map_err(Error::file("rename to", path))
    }

    /// Every directory that is an image layout and whose path is a repository's name, with that name.
    pub(crate) fn repositories(&self) -> Result<Vec<RepositoryName>> {
        let mut found = Vec::new();
        walk(self.layout.root(), "", &mut found)?;
        Ok(found)
    }

    /// The index of a repository.
    pub(crate) fn index(&self, name: &RepositoryName) -> Result<Index> {
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

/// Gives a file a second name, or a copy of it where the file system cannot (no hard links, too many, another file system).
fn link(from: &Path, to: &Path) -> Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::file("link", from)(error)),
        Err(_) => fs::copy(from, to).map(drop).map_err(Error::file("copy", from)),
        Ok(()) => Ok(()),
    }
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
