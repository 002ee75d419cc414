//! The port [`Layouts`] over a bucket: every repository as an image layout, with pointers where a file system has hard links.
//!
//! Manifests and other small content are there as content. Of all else there is a pointer, an object whose name tells digest and size and whose
//! bytes are the name of the object that has the bytes. So the bucket alone suffices to write all rows again, zot's buckets included.

mod shown;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::SystemTime,
};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;
use tokio::sync::OnceCell;
use zot_oci::{ByteRange, Digest, Hasher, RepositoryName};
use zot_storage::{
    BlobKey, Error, Result,
    layouts::{Change, Content, Found, Layouts, OCI_LAYOUT},
};

use crate::{S3Blobs, keys, read, store::Store};
use shown::{Originals, Shown};

/// The largest object of a layout that is read, in bytes: an index with a million tags and more.
const BYTES_MAX: u64 = 1 << 30;

/// The most requests under way for one repository.
const REQUESTS_MAX: usize = 16;

/// How many repositories are remembered to be layouts.
const MARKED_MAX: usize = 100_000;

/// Everything that a layout shows.
type Contents = Arc<HashMap<Digest, Shown>>;

/// Image layouts in the bucket of [`S3Blobs`]. Its methods list, but for those that write: it is for the background only.
#[derive(Debug)]
pub struct S3Layouts {
    store: Arc<Store>,
    /// Repositories that this process made layouts.
    marked: Mutex<HashSet<RepositoryName>>,
    /// What was listed last: whoever reads a layout asks for one content after the other.
    listed: Mutex<Option<(RepositoryName, Contents)>>,
    /// Where the content is that zot stored once for several repositories.
    originals: OnceCell<Originals>,
}

impl S3Blobs {
    /// The image layouts in the same bucket.
    #[must_use]
    pub fn layouts(&self) -> S3Layouts {
        let (marked, listed, originals) = (Mutex::default(), Mutex::default(), OnceCell::new());
        S3Layouts { store: self.store().clone(), marked, listed, originals }
    }
}

impl S3Layouts {
    async fn put(&self, name: &str, bytes: Bytes) -> Result<()> {
        self.store.bucket.put_bytes(&self.store.keys.of(name), bytes).await
    }

    /// Makes a repository a layout. Others do the same, and nobody undoes it.
    async fn mark(&self, repository: &RepositoryName) -> Result<()> {
        if self.marked.lock().contains(repository) {
            return Ok(());
        }
        self.put(&keys::marker(repository), Bytes::from_static(OCI_LAYOUT)).await?;
        let mut marked = self.marked.lock();
        if marked.len() >= MARKED_MAX {
            marked.clear();
        }
        marked.insert(repository.clone());
        Ok(())
    }

    async fn add(&self, repository: &RepositoryName, content: Content) -> Result<()> {
        match content {
            Content::Inline { digest, bytes } | Content::Stored { digest, bytes: Some(bytes), .. } => {
                self.put(&keys::content(repository, &digest), bytes).await
            }
            Content::Stored { digest, at, size, bytes: None } => {
                let to = Bytes::copy_from_slice(at.as_str().as_bytes());
                self.put(&keys::pointer(repository, &digest, size), to).await
            }
        }
    }

    async fn add_all(&self, repository: &RepositoryName, contents: Vec<Content>) -> Result<()> {
        let adding = stream::iter(contents).map(|content| self.add(repository, content));
        adding.buffer_unordered(REQUESTS_MAX).try_collect().await
    }

    /// Removes pointers, and content unless rows speak of it: that stays until somebody removes the blob.
    async fn remove(&self, repository: &RepositoryName, digest: &Digest) -> Result<()> {
        let Store { bucket, keys, .. } = self.store.as_ref();
        for pointer in bucket.list(&keys.of(&keys::pointers_to(repository, digest))).await? {
            bucket.delete(&pointer.what).await?;
        }
        let content = keys::content(repository, digest);
        let kept = keys::kept(&content).unwrap_or_default();
        if bucket.list(&keys.of(&kept)).await?.is_empty() { bucket.delete(&keys.of(&content)).await } else { Ok(()) }
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>> {
        // The end of the range is that of what there is, if that is less.
        let Some(range) = ByteRange::whole(BYTES_MAX) else { return Ok(None) };
        let Some((size, pieces)) = read::open_within(&self.store, self.store.keys.of(name), range).await? else { return Ok(None) };
        let pieces: Vec<Bytes> = pieces.try_collect().await?;
        let bytes = Bytes::from(pieces.concat());
        if bytes.len() as u64 == size { Ok(Some(bytes)) } else { Err(Error::damaged(format!("object {name}"), "it is too large")) }
    }

    /// What a layout shows, as it was when it was last asked for.
    async fn shown(&self, repository: &RepositoryName, digest: &Digest) -> Result<Option<Shown>> {
        let listed = self.listed.lock().clone().filter(|(found, _)| found == repository);
        let contents = match listed {
            Some((_, contents)) => contents,
            None => self.list(repository).await?,
        };
        Ok(contents.get(digest).cloned())
    }

    async fn list(&self, repository: &RepositoryName) -> Result<Contents> {
        let mut contents = shown::list(&self.store, repository).await?;
        for (digest, shown) in &mut contents {
            if shown.is_placeholder(digest) {
                let originals = self.originals.get_or_try_init(|| Originals::find(&self.store)).await?;
                originals.resolve(digest, shown);
            }
        }
        let contents = Arc::new(contents);
        *self.listed.lock() = Some((repository.clone(), contents.clone()));
        Ok(contents)
    }

    /// The name of the object that has the bytes of content that is shown.
    async fn holder(&self, shown: &Shown) -> Result<String> {
        if !shown.is_pointer {
            return Ok(shown.name.clone());
        }
        let damaged = |reason: &'static str| Error::damaged(format!("object {}", shown.name), reason);
        let bytes = self.get(&shown.name).await?.ok_or_else(|| damaged("it went since it was listed"))?;
        String::from_utf8(bytes.into()).map_err(|_| damaged("it does not hold a name"))
    }
}

#[async_trait::async_trait]
impl Layouts for S3Layouts {
    async fn apply(&self, repository: &RepositoryName, changes: Vec<Change>) -> Result<()> {
        *self.listed.lock() = None;
        let mut adds = Vec::new();
        for change in changes {
            match change {
                Change::Add(content) => adds.push(content),
                Change::Remove(digest) => {
                    self.add_all(repository, std::mem::take(&mut adds)).await?;
                    self.remove(repository, &digest).await?;
                }
            }
        }
        self.add_all(repository, adds).await
    }

    async fn write_index(&self, repository: &RepositoryName, index: Bytes) -> Result<()> {
        self.mark(repository).await?;
        self.put(&keys::index(repository), index).await
    }

    /// What S3 took is durable.
    async fn sync(&self) -> Result<()> {
        Ok(())
    }

    async fn repositories(&self) -> Result<Vec<RepositoryName>> {
        let (keys, mut found) = (&self.store.keys, Vec::new());
        self.store.bucket.visit(keys.prefix(), |object| found.extend(keys.name(&object.what).and_then(keys::repository_of_index))).await?;
        Ok(found)
    }

    async fn index(&self, repository: &RepositoryName) -> Result<Bytes> {
        let index = self.get(&keys::index(repository)).await?;
        index.ok_or_else(|| Error::damaged(format!("layout of {repository}"), "it has no index"))
    }

    async fn contents(&self, repository: &RepositoryName) -> Result<Vec<Found>> {
        let contents = self.list(repository).await?;
        let modified = |shown: &Shown| shown.since.unwrap_or(SystemTime::UNIX_EPOCH);
        Ok(contents.iter().map(|(digest, shown)| Found { digest: *digest, size: shown.size, modified: modified(shown) }).collect())
    }

    async fn read(&self, repository: &RepositoryName, digest: &Digest) -> Result<Option<Bytes>> {
        let Some(shown) = self.shown(repository, digest).await? else { return Ok(None) };
        self.get(&self.holder(&shown).await?).await
    }

    async fn keep_index(&self, repository: &RepositoryName) -> Result<String> {
        let kept = keys::found_index(repository);
        if self.store.bucket.size(&self.store.keys.of(&kept)).await?.is_none() {
            self.put(&kept, self.index(repository).await?).await?;
        }
        Ok(self.store.keys.of(&kept))
    }

    async fn is_intact(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool> {
        let Some(shown) = self.shown(repository, digest).await? else { return Ok(false) };
        let mut hasher = Hasher::new(digest.algorithm());
        if let Some(range) = ByteRange::whole(shown.size) {
            let key = self.store.keys.of(&self.holder(&shown).await?);
            let Some((size, mut pieces)) = read::open_within(&self.store, key, range).await? else { return Ok(false) };
            if size != shown.size {
                return Ok(false);
            }
            while let Some(piece) = pieces.try_next().await? {
                hasher.update(&piece);
            }
        }
        Ok(hasher.finish() == *digest)
    }

    /// Nothing is copied: where content is in a layout only, as zot leaves it, that is its place from now on, and it is marked so.
    async fn keep(&self, repository: &RepositoryName, digest: &Digest, key: &BlobKey) -> Result<String> {
        let shown = self.shown(repository, digest).await?;
        let shown = shown.ok_or_else(|| Error::damaged(format!("layout of {repository}"), format!("it does not show {digest}")))?;
        let holder = self.holder(&shown).await?;
        if holder == key.as_str() {
            return Ok(String::new());
        }
        // A large manifest is shown as content, besides being stored under its key.
        let stored = !shown.is_pointer && self.store.bucket.size(&self.store.keys.blob(key)).await? == Some(shown.size);
        if stored {
            return Ok(String::new());
        }
        if let Some(mark) = keys::kept(&holder) {
            self.put(&mark, Bytes::new()).await?;
        }
        Ok(holder)
    }
}
