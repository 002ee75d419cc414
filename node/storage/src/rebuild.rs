//! Rows from image layouts: after the metadata was lost, and when a directory that zot wrote is adopted.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use prost::Message;
use zot_contract::ManifestPush;
use zot_oci::{Descriptor, Digest, Manifest, MediaType, RepositoryName, Tag};

use crate::{
    BlobKey, Result,
    engine::{INLINE_BYTES_MAX, put_manifest_rows},
    error::{blocking, chain},
    metadata::{
        Expect, Key, Metadata, Transaction,
        rows::{BlobRow, LinkRow, Location, ManifestRow, RepositoryRow, unix_ms},
    },
    projection::{LayoutDirectory, REFERENCE_NAME},
};

/// Rows written in one transaction.
const ROWS_AT_A_TIME: usize = 1000;

/// What a rebuild found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Rebuilt {
    /// Repositories.
    pub repositories: usize,
    /// Manifests.
    pub manifests: usize,
    /// Tags.
    pub tags: usize,
    /// Blobs, counted once for each repository that has them.
    pub blobs: usize,
    /// Manifests and blobs that were left out because they are missing or damaged; each is named in the log.
    pub damaged: usize,
}

/// How far a rebuild is: repositories done, and all repositories.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Send + Sync);

/// Writes the rows of everything that the image layouts show.
pub(crate) async fn rebuild(
    directory: &LayoutDirectory,
    metadata: &Arc<dyn Metadata>,
    dedupe: bool,
    progress: Progress<'_>,
) -> Result<Rebuilt> {
    let walked = directory.clone();
    let names = blocking(move || walked.repositories()).await?;
    let mut rebuilt = Rebuilt::default();
    for (done, name) in names.iter().enumerate() {
        progress(done, names.len());
        let (directory, name) = (directory.clone(), name.clone());
        let (transaction, found) = blocking(move || Repository::new(directory, name, dedupe).read()).await?;
        commit(metadata.as_ref(), transaction).await?;
        rebuilt.add(found);
    }
    progress(names.len(), names.len());
    let directory = directory.clone();
    blocking(move || directory.sync()).await?;
    Ok(rebuilt)
}

/// Writes rows a thousand at a time: until the last is written, the store is not complete and the next start begins anew.
async fn commit(metadata: &dyn Metadata, transaction: Transaction) -> Result<()> {
    let mut changes = transaction.changes.into_iter().peekable();
    while changes.peek().is_some() {
        let some = changes.by_ref().take(ROWS_AT_A_TIME).collect();
        metadata.commit(Transaction { changes: some }).await?;
    }
    Ok(())
}

impl Rebuilt {
    fn add(&mut self, other: Self) {
        self.repositories += other.repositories;
        self.manifests += other.manifests;
        self.tags += other.tags;
        self.blobs += other.blobs;
        self.damaged += other.damaged;
    }
}

/// A repository that is being read from its image layout.
struct Repository {
    directory: LayoutDirectory,
    name: RepositoryName,
    dedupe: bool,
    transaction: Transaction,
    found: Rebuilt,
    /// The files that are there, and after manifests were read, the sizes that they must have.
    contents: BTreeMap<Digest, u64>,
    expected: BTreeMap<Digest, u64>,
}

impl Repository {
    fn new(directory: LayoutDirectory, name: RepositoryName, dedupe: bool) -> Self {
        let found = Rebuilt { repositories: 1, ..Default::default() };
        Self { directory, name, dedupe, transaction: Transaction::new(), found, contents: BTreeMap::new(), expected: BTreeMap::new() }
    }

    fn read(mut self) -> Result<(Transaction, Rebuilt)> {
        self.contents = self.directory.contents(&self.name)?.into_iter().collect();
        let index = match self.directory.index(&self.name) {
            Ok(index) => index,
            Err(error @ crate::Error::Damaged { .. }) => {
                self.damaged(&chain(&error));
                return Ok((self.transaction, self.found));
            }
            Err(error) => return Err(error),
        };
        let (manifests, unusable) = index.descriptors();
        for _ in 0..unusable {
            self.damaged("an entry of its index is no descriptor with a digest of sha256 or sha512");
        }
        for (digest, descriptors) in by_digest(manifests) {
            self.read_manifest(digest, &descriptors)?;
        }
        if self.found.manifests > 0 {
            let row = RepositoryRow { created_unix_ms: 0 };
            self.transaction.put(Key::Repository(self.name.clone()), Expect::Anything, row.encode_to_vec());
        }
        self.read_blobs()?;
        Ok((self.transaction, self.found))
    }

    fn damaged(&mut self, reason: &str) {
        self.found.damaged += 1;
        tracing::warn!(repository = %self.name, reason, "left out while rebuilding");
    }

    fn read_manifest(&mut self, digest: Digest, descriptors: &[Descriptor]) -> Result<()> {
        let Some(bytes) = self.directory.read(&self.name, &digest)? else {
            self.damaged(&format!("manifest {digest} is not there"));
            return Ok(());
        };
        if Digest::of(digest.algorithm(), &bytes) != digest {
            self.contents.remove(&digest);
            self.damaged(&format!("manifest {digest} has another digest"));
            return Ok(());
        }
        let media_type = descriptors.first().and_then(|descriptor| descriptor.media_type.parse::<MediaType>().ok());
        let parsed = media_type.and_then(|media_type| Some((Manifest::parse(&media_type, &bytes).ok()?, media_type)));
        let Some((manifest, media_type)) = parsed else {
            self.damaged(&format!("manifest {digest} does not follow its schema"));
            return Ok(());
        };
        let tags = descriptors.iter().filter_map(|descriptor| descriptor.annotations.get(REFERENCE_NAME)?.parse::<Tag>().ok()).collect();
        self.put_manifest(&manifest, ManifestPush { digest, tags, media_type, bytes: bytes.into() })
    }

    fn put_manifest(&mut self, manifest: &Manifest, push: ManifestPush) -> Result<()> {
        let inline = push.bytes.len() <= INLINE_BYTES_MAX;
        let location = if inline { Location::Inline } else { Location::Own };
        if !inline {
            self.directory.keep(&self.name, &push.digest, &BlobKey::own(&self.name, &push.digest))?;
        }
        let row = ManifestRow {
            media_type: push.media_type.to_string(),
            size: push.bytes.len() as u64,
            pushed_unix_ms: unix_ms(self.directory.modified(&self.name, &push.digest)?),
            pushed_by: String::new(),
            subject: manifest.subject.as_ref().map(|subject| (&subject.digest).into()),
            location: location.into(),
            inline: if inline { push.bytes.clone() } else { Bytes::new() },
            place: String::new(),
        };
        put_manifest_rows(&mut self.transaction, &self.name, manifest, &push, &row)?;
        self.expected.extend(manifest.blobs.iter().map(|blob| (blob.digest, blob.size)));
        self.contents.remove(&push.digest);
        self.found.manifests += 1;
        self.found.tags += push.tags.len();
        Ok(())
    }

    fn read_blobs(&mut self) -> Result<()> {
        for (digest, size) in std::mem::take(&mut self.contents) {
            match self.expected.remove(&digest) {
                Some(expected) if expected != size => self.damaged(&format!("blob {digest} has {size} bytes, manifests say {expected}")),
                _ if !self.is_whole(&digest, size)? => self.damaged(&format!("blob {digest} has another digest")),
                _ => self.put_blob(digest, size)?,
            }
        }
        for digest in std::mem::take(&mut self.expected).into_keys() {
            self.damaged(&format!("blob {digest} is not there"));
        }
        Ok(())
    }

    /// Large blobs were durable before they got a name. Small ones were written by the projector, and may be zeros after a power cut.
    fn is_whole(&self, digest: &Digest, size: u64) -> Result<bool> {
        if size > INLINE_BYTES_MAX as u64 {
            return Ok(true);
        }
        let bytes = self.directory.read(&self.name, digest)?;
        Ok(bytes.is_some_and(|bytes| Digest::of(digest.algorithm(), &bytes) == *digest))
    }

    fn put_blob(&mut self, digest: Digest, size: u64) -> Result<()> {
        let location = if self.dedupe {
            let row = BlobRow { size, location: Location::Shared.into(), ..Default::default() };
            self.transaction.put(Key::Blob(digest), Expect::Anything, row.encode_to_vec());
            self.directory.keep(&self.name, &digest, &BlobKey::shared(&digest))?;
            Location::Shared
        } else {
            self.directory.keep(&self.name, &digest, &BlobKey::own(&self.name, &digest))?;
            Location::Own
        };
        let touched_unix_ms = unix_ms(self.directory.modified(&self.name, &digest)?);
        let row = LinkRow { size, location: location.into(), touched_unix_ms, ..Default::default() };
        self.transaction.put(Key::Link(self.name.clone(), digest), Expect::Anything, row.encode_to_vec());
        self.found.blobs += 1;
        Ok(())
    }
}

/// The descriptors of an index, those of one manifest together.
fn by_digest(descriptors: Vec<Descriptor>) -> BTreeMap<Digest, Vec<Descriptor>> {
    let mut grouped: BTreeMap<Digest, Vec<Descriptor>> = BTreeMap::new();
    for descriptor in descriptors {
        grouped.entry(descriptor.digest).or_default().push(descriptor);
    }
    grouped
}
