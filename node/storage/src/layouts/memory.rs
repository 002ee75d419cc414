//! Image layouts in memory, for tests.

use std::{collections::BTreeMap, time::SystemTime};

use bytes::Bytes;
use parking_lot::Mutex;
use zot_oci::{Digest, RepositoryName};

use super::{Change, Content, FOUND_INDEX_FILE, Found, Layouts};
use crate::{BlobKey, Error, Result};

/// Image layouts in memory. Content that is in the blob store is shown by its address.
#[derive(Debug, Default)]
pub struct MemoryLayouts {
    repositories: Mutex<BTreeMap<RepositoryName, Repository>>,
}

#[derive(Debug, Default)]
struct Repository {
    index: Option<Bytes>,
    kept_index: Option<Bytes>,
    contents: BTreeMap<Digest, (Content, SystemTime)>,
}

impl MemoryLayouts {
    fn content(&self, repository: &RepositoryName, digest: &Digest) -> Option<Content> {
        let repositories = self.repositories.lock();
        repositories.get(repository)?.contents.get(digest).map(|(content, _)| content.clone())
    }
}

#[async_trait::async_trait]
impl Layouts for MemoryLayouts {
    async fn apply(&self, repository: &RepositoryName, changes: Vec<Change>) -> Result<()> {
        let mut repositories = self.repositories.lock();
        let contents = &mut repositories.entry(repository.clone()).or_default().contents;
        for change in changes {
            match change {
                Change::Add(content) => contents.insert(*content.digest(), (content, SystemTime::now())),
                Change::Remove(digest) => contents.remove(&digest),
            };
        }
        Ok(())
    }

    async fn write_index(&self, repository: &RepositoryName, index: Bytes) -> Result<()> {
        self.repositories.lock().entry(repository.clone()).or_default().index = Some(index);
        Ok(())
    }

    async fn sync(&self) -> Result<()> {
        Ok(())
    }

    async fn repositories(&self) -> Result<Vec<RepositoryName>> {
        let repositories = self.repositories.lock();
        Ok(repositories.iter().filter(|(_, repository)| repository.index.is_some()).map(|(name, _)| name.clone()).collect())
    }

    async fn index(&self, repository: &RepositoryName) -> Result<Bytes> {
        let index = self.repositories.lock().get(repository).and_then(|repository| repository.index.clone());
        index.ok_or_else(|| Error::damaged(format!("layout of {repository}"), "it has no index"))
    }

    async fn contents(&self, repository: &RepositoryName) -> Result<Vec<Found>> {
        let repositories = self.repositories.lock();
        let contents = repositories.get(repository).into_iter().flat_map(|repository| &repository.contents);
        let found = contents.map(|(digest, (content, modified))| {
            let size = match content {
                Content::Stored { size, .. } => *size,
                Content::Inline { bytes, .. } => bytes.len() as u64,
            };
            Found { digest: *digest, size, modified: *modified }
        });
        Ok(found.collect())
    }

    async fn read(&self, repository: &RepositoryName, digest: &Digest) -> Result<Option<Bytes>> {
        match self.content(repository, digest) {
            Some(Content::Inline { bytes, .. } | Content::Stored { bytes: Some(bytes), .. }) => Ok(Some(bytes)),
            Some(Content::Stored { .. }) => Err(Error::remote(format!("read {digest}"), "it is in the blob store")),
            None => Ok(None),
        }
    }

    async fn keep_index(&self, repository: &RepositoryName) -> Result<String> {
        let index = self.index(repository).await?;
        self.repositories.lock().entry(repository.clone()).or_default().kept_index.get_or_insert(index);
        Ok(format!("{repository}/{FOUND_INDEX_FILE}"))
    }

    async fn is_intact(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool> {
        Ok(match self.content(repository, digest) {
            Some(Content::Inline { bytes, .. }) => Digest::of(digest.algorithm(), &bytes) == *digest,
            // The blob store keeps what it was given.
            Some(Content::Stored { .. }) => true,
            None => false,
        })
    }

    async fn keep(&self, repository: &RepositoryName, digest: &Digest, _key: &BlobKey) -> Result<String> {
        match self.content(repository, digest) {
            Some(Content::Stored { at, .. }) => Ok(at.place),
            _ => Err(Error::damaged(format!("layout of {repository}"), format!("it does not show where {digest} is"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_keeps_the_contract() {
        super::super::suite::layouts_suite(&MemoryLayouts::default(), &crate::blobs::MemoryBlobs::default()).await;
    }
}
