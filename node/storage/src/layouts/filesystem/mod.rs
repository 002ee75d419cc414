//! Image layouts in directories: other tools read them as they are.

mod files;
mod walk;

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use bytes::Bytes;
use zot_oci::{Algorithm, Digest, RepositoryName};

use super::{Change, Content, Found, Layouts, OCI_LAYOUT};
use crate::{
    BlobKey, Error, Result,
    blobs::filesystem::{Durability, remove, size},
    error::blocking,
    layout::{FOUND_INDEX_FILE, INDEX_FILE, Layout, OCI_LAYOUT_FILE},
};
use files::{copy, digest_of, holds, link, replace, write};

/// The largest `index.json` that is read, in bytes: a million tags and more.
const INDEX_BYTES_MAX: u64 = 1 << 30;

/// Image layouts in directories below a root, whose content has hard links to the blob store.
#[derive(Debug, Clone)]
pub(crate) struct FilesystemLayouts {
    layout: Layout,
    durable: bool,
}

impl FilesystemLayouts {
    pub(crate) fn new(layout: Layout, durable: bool) -> Self {
        Self { layout, durable }
    }

    /// Runs blocking work on the layouts.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> Result<T> + Send + 'static) -> Result<T> {
        let this = self.clone();
        blocking(move || work(&this)).await
    }

    fn change(&self, name: &RepositoryName, change: Change) -> Result<()> {
        match change {
            Change::Add(content) => self.add(name, content),
            Change::Remove(digest) => remove(&self.layout.repository_blob(name, &digest)),
        }
    }

    /// Adds a file to the layout, if it is not there.
    fn add(&self, name: &RepositoryName, content: Content) -> Result<()> {
        let target = self.layout.repository_blob(name, content.digest());
        let there = match &content {
            Content::Stored { .. } => size(&target)?.is_some(),
            Content::Inline { bytes, .. } => holds(&target, bytes)?,
        };
        if there {
            return Ok(());
        }
        Durability::new(false).create_directory(&self.layout.repository_blobs(name, content.digest().algorithm()))?;
        match content {
            Content::Stored { at, .. } => link(&self.layout.blob(&at.key), &target),
            // Nothing refers to it before the index is written, and a cut one is written again.
            Content::Inline { bytes, .. } => write(&target, &bytes),
        }
    }

    /// Makes the repository a layout, if it is none.
    fn mark(&self, name: &RepositoryName) -> Result<()> {
        let marker = self.layout.repository(name).join(OCI_LAYOUT_FILE);
        if holds(&marker, OCI_LAYOUT)? {
            return Ok(());
        }
        Durability::new(false).create_directory(&self.layout.repository(name))?;
        replace(&marker, OCI_LAYOUT)
    }

    fn read_index(&self, name: &RepositoryName) -> Result<Bytes> {
        let path = self.layout.repository(name).join(INDEX_FILE);
        let file = File::open(&path).map_err(Error::file("open", &path))?;
        let mut bytes = Vec::new();
        file.take(INDEX_BYTES_MAX).read_to_end(&mut bytes).map_err(Error::file("read", &path))?;
        Ok(bytes.into())
    }

    /// The files of a repository that are named by a digest.
    fn list(&self, name: &RepositoryName) -> Result<Vec<Found>> {
        let mut contents = Vec::new();
        for algorithm in Algorithm::ALL {
            let path = self.layout.repository_blobs(name, algorithm);
            for (entry, kind) in walk::entries(&path)? {
                let digest = entry.file_name().and_then(|hex| format!("{algorithm}:{}", hex.to_str()?).parse().ok());
                if let (Some(digest), true) = (digest, kind.is_file()) {
                    contents.extend(found(digest, &entry)?);
                }
            }
        }
        Ok(contents)
    }

    /// Gives a file of a repository a second name in the blob store, if there is none.
    fn link_back(&self, name: &RepositoryName, digest: &Digest, key: &BlobKey) -> Result<()> {
        let (shown, kept) = (self.layout.repository_blob(name, digest), self.layout.blob(key));
        let there = size(&kept)?;
        if there.is_some() && there == size(&shown)? {
            return Ok(());
        }
        // Content of another size was cut or grown since it got the name.
        remove(&kept)?;
        if let Some(parent) = kept.parent() {
            Durability::new(false).create_directory(parent)?;
        }
        link(&shown, &kept)
    }
}

#[async_trait::async_trait]
impl Layouts for FilesystemLayouts {
    async fn apply(&self, repository: &RepositoryName, changes: Vec<Change>) -> Result<()> {
        let name = repository.clone();
        self.run(move |this| changes.into_iter().try_for_each(|change| this.change(&name, change))).await
    }

    async fn write_index(&self, repository: &RepositoryName, index: Bytes) -> Result<()> {
        let name = repository.clone();
        self.run(move |this| {
            this.mark(&name)?;
            replace(&this.layout.repository(&name).join(INDEX_FILE), &index)
        })
        .await
    }

    /// One call for all layouts.
    async fn sync(&self) -> Result<()> {
        if !self.durable {
            return Ok(());
        }
        self.run(|this| {
            let root = File::open(this.layout.root()).map_err(Error::file("open", this.layout.root()))?;
            rustix::fs::syncfs(&root).map_err(|errno| Error::file("sync", this.layout.root())(errno.into()))
        })
        .await
    }

    /// Every directory that is an image layout and whose path is a repository's name.
    async fn repositories(&self) -> Result<Vec<RepositoryName>> {
        self.run(|this| walk::repositories(this.layout.root())).await
    }

    async fn index(&self, repository: &RepositoryName) -> Result<Bytes> {
        let name = repository.clone();
        self.run(move |this| this.read_index(&name)).await
    }

    async fn contents(&self, repository: &RepositoryName) -> Result<Vec<Found>> {
        let name = repository.clone();
        self.run(move |this| this.list(&name)).await
    }

    async fn read(&self, repository: &RepositoryName, digest: &Digest) -> Result<Option<Bytes>> {
        let path = self.layout.repository_blob(repository, digest);
        blocking(move || match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::file("read", &path)(error)),
        })
        .await
    }

    async fn is_intact(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool> {
        let (path, digest) = (self.layout.repository_blob(repository, digest), *digest);
        blocking(move || Ok(digest_of(&path, digest.algorithm())? == Some(digest))).await
    }

    async fn keep_index(&self, repository: &RepositoryName) -> Result<String> {
        let name = repository.clone();
        self.run(move |this| {
            let kept = this.layout.repository(&name).join(FOUND_INDEX_FILE);
            if size(&kept)?.is_none() {
                copy(&this.layout.repository(&name).join(INDEX_FILE), &kept)?;
            }
            Ok(kept.display().to_string())
        })
        .await
    }

    async fn keep(&self, repository: &RepositoryName, digest: &Digest, key: &BlobKey) -> Result<String> {
        let (name, digest, key) = (repository.clone(), *digest, key.clone());
        self.run(move |this| this.link_back(&name, &digest, &key)).await?;
        Ok(String::new())
    }
}

/// What there is to say of a file; nothing if it went since it was listed.
fn found(digest: Digest, path: &Path) -> Result<Option<Found>> {
    match fs::metadata(path).and_then(|metadata| Ok((metadata.len(), metadata.modified()?))) {
        Ok((size, modified)) => Ok(Some(Found { digest, size, modified })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("stat", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn directories_keep_the_contract() {
        let root = tempfile::tempdir().unwrap();
        let blobs = crate::blobs::FilesystemBlobs::open(root.path(), false).unwrap();
        let layouts = FilesystemLayouts::new(Layout::new(root.path()), true);
        super::super::suite::layouts_suite(&layouts, &blobs).await;
    }

    #[tokio::test]
    async fn a_file_that_a_power_cut_filled_with_zeros_is_written_again() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let layouts = FilesystemLayouts::new(layout.clone(), false);
        let (name, bytes): (RepositoryName, &'static [u8]) = ("a".parse().unwrap(), b"content");
        let digest = Digest::sha256(bytes);
        let content = Content::Inline { digest, bytes: Bytes::from_static(bytes) };
        layouts.apply(&name, vec![Change::Add(content.clone())]).await.unwrap();
        layouts.write_index(&name, Bytes::from_static(b"{}")).await.unwrap();
        let marker = layout.repository(&name).join(OCI_LAYOUT_FILE);
        fs::write(layout.repository_blob(&name, &digest), [0; 7]).unwrap();
        fs::write(&marker, [0; OCI_LAYOUT.len()]).unwrap();

        layouts.apply(&name, vec![Change::Add(content)]).await.unwrap();
        layouts.write_index(&name, Bytes::from_static(b"{}")).await.unwrap();
        assert_eq!(layouts.read(&name, &digest).await.unwrap().unwrap(), bytes);
        assert_eq!(fs::read(marker).unwrap(), OCI_LAYOUT);
    }

    #[tokio::test]
    async fn the_first_index_that_was_kept_stays() {
        let root = tempfile::tempdir().unwrap();
        let layouts = FilesystemLayouts::new(Layout::new(root.path()), false);
        let name: RepositoryName = "a".parse().unwrap();
        for index in ["[1]", "[2]"] {
            layouts.write_index(&name, Bytes::from_static(index.as_bytes())).await.unwrap();
            assert_eq!(fs::read(layouts.keep_index(&name).await.unwrap()).unwrap(), b"[1]");
        }
    }

    #[tokio::test]
    async fn a_blob_that_was_cut_is_replaced_by_the_one_that_a_layout_shows() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let layouts = FilesystemLayouts::new(layout.clone(), false);
        let (name, bytes): (RepositoryName, &'static [u8]) = ("a".parse().unwrap(), b"content");
        let digest = Digest::sha256(bytes);
        layouts.apply(&name, vec![Change::Add(Content::Inline { digest, bytes: Bytes::from_static(bytes) })]).await.unwrap();
        let key = BlobKey::shared(&digest);
        let kept = layout.blob(&key);
        Durability::new(false).create_directory(kept.parent().unwrap()).unwrap();
        fs::write(&kept, b"cont").unwrap();
        layouts.keep(&name, &digest, &key).await.unwrap();
        assert_eq!(fs::read(kept).unwrap(), bytes);
    }
}
