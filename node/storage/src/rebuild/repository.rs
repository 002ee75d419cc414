//! One repository, read from its image layout.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use prost::Message;
use zot_contract::ManifestPush;
use zot_oci::{Descriptor, Digest, Manifest, MediaType, RepositoryName, Tag};

use super::{Rebuilt, Rows};
use crate::{
    BlobKey, Result,
    engine::{INLINE_BYTES_MAX, PushRows},
    error::chain,
    layouts::{Found, Layouts},
    metadata::{
        Key,
        rows::{BlobRow, LinkRow, Location, ManifestRow, RepositoryRow},
    },
    projection::{FoundIndex, REFERENCE_NAME},
    wall::unix_ms,
};

/// Manifests read at a time: a remote store answers many as soon as one.
const READS_AT_A_TIME: usize = 32;

/// A repository that is being read from its image layout.
pub(super) struct Repository<'a, 'b> {
    layouts: &'a dyn Layouts,
    name: RepositoryName,
    dedupe: bool,
    rows: &'a mut Rows<'b>,
    rebuilt: Rebuilt,
    /// What is there, and not a manifest that was read.
    contents: BTreeMap<Digest, Found>,
    /// The blobs that manifests need, with the size that they say; none if they do not agree on it.
    needed: BTreeMap<Digest, Option<u64>>,
    /// Whether the next rewrite of the index drops something that it says.
    index_is_poorer: bool,
}

impl<'a, 'b> Repository<'a, 'b> {
    pub(super) fn new(layouts: &'a dyn Layouts, name: RepositoryName, dedupe: bool, rows: &'a mut Rows<'b>) -> Self {
        let rebuilt = Rebuilt { repositories: 1, ..Default::default() };
        Self { layouts, name, dedupe, rows, rebuilt, contents: BTreeMap::new(), needed: BTreeMap::new(), index_is_poorer: false }
    }

    pub(super) async fn read(mut self) -> Result<Rebuilt> {
        let contents = self.rows.during(self.layouts.contents(&self.name)).await?;
        self.contents = contents.into_iter().map(|found| (found.digest, found)).collect();
        let row = RepositoryRow { created_unix_ms: 0 };
        self.rows.put(Key::Repository(self.name.clone()), row.encode_to_vec()).await?;
        match FoundIndex::decode(&self.layouts.index(&self.name).await?, &self.name) {
            Ok(index) => {
                self.read_index(index).await?;
                self.read_blobs().await?;
            }
            Err(error) => self.left_out_of_index(&chain(&error)),
        }
        if self.index_is_poorer {
            let kept = self.layouts.keep_index(&self.name).await?;
            tracing::warn!(repository = %self.name, kept, "not all of its index can be used, it is kept as it was found");
        }
        Ok(self.rebuilt)
    }

    async fn read_index(&mut self, index: FoundIndex) -> Result<()> {
        let (manifests, unusable) = index.descriptors();
        for _ in 0..unusable {
            self.left_out_of_index("an entry of its index is no descriptor with a digest of sha256, sha384 or sha512");
        }
        let (layouts, name) = (self.layouts, self.name.clone());
        let reading = by_digest(manifests).into_iter().map(|(digest, descriptors)| {
            let name = &name;
            async move { Ok((digest, descriptors, layouts.read(name, &digest).await?)) }
        });
        let mut read = stream::iter(reading).buffered(READS_AT_A_TIME);
        while let Some((digest, descriptors, bytes)) = self.rows.during(read.try_next()).await? {
            self.read_manifest(digest, &descriptors, bytes).await?;
        }
        Ok(())
    }

    fn damaged(&mut self, reason: &str) {
        self.rebuilt.damaged += 1;
        tracing::warn!(repository = %self.name, reason, "left out while rebuilding");
    }

    fn left_out_of_index(&mut self, reason: &str) {
        self.index_is_poorer = true;
        self.damaged(reason);
    }

    async fn read_manifest(&mut self, digest: Digest, descriptors: &[Descriptor], bytes: Option<Bytes>) -> Result<()> {
        let Some(bytes) = bytes else {
            self.left_out_of_index(&format!("manifest {digest} is not there"));
            return Ok(());
        };
        if Digest::of(digest.algorithm(), &bytes) != digest {
            self.contents.remove(&digest);
            self.left_out_of_index(&format!("manifest {digest} has another digest"));
            return Ok(());
        }
        let media_type = descriptors.first().and_then(|descriptor| descriptor.media_type.parse::<MediaType>().ok());
        let parsed = media_type.and_then(|media_type| Some((Manifest::parse(&media_type, &bytes).ok()?, media_type)));
        let Some((manifest, media_type)) = parsed else {
            self.left_out_of_index(&format!("manifest {digest} does not follow its schema"));
            return Ok(());
        };
        let mut tags = Vec::with_capacity(descriptors.len());
        for tag in descriptors.iter().filter_map(|descriptor| descriptor.annotations.get(REFERENCE_NAME)) {
            match tag.parse::<Tag>() {
                Ok(tag) => tags.push(tag.into()),
                Err(error) => self.left_out_of_index(&format!("manifest {digest} has an {error}")),
            }
        }
        self.put_manifest(&manifest, ManifestPush { digest, tags, media_type, bytes }).await
    }

    async fn put_manifest(&mut self, manifest: &Manifest, push: ManifestPush) -> Result<()> {
        let modified = self.contents.remove(&push.digest).map(|found| found.modified);
        let mut row = ManifestRow {
            media_type: push.media_type.to_string(),
            size: push.bytes.len() as u64,
            pushed_unix_ms: modified.map(unix_ms).unwrap_or_default(),
            subject: manifest.subject.as_ref().map(|subject| (&subject.digest).into()),
            ..Default::default()
        };
        if push.bytes.len() <= INLINE_BYTES_MAX {
            (row.location, row.inline) = (Location::Inline.into(), push.bytes.clone());
        } else {
            row.location = Location::Own.into();
            row.place = self.layouts.keep(&self.name, &push.digest, &BlobKey::own(&self.name, &push.digest)).await?;
        }
        self.rows.add(PushRows::new(&self.name, manifest, &push, &row)?.whole()).await?;
        for blob in &manifest.blobs {
            let said = self.needed.entry(blob.digest).or_insert(Some(blob.size));
            *said = said.filter(|size| *size == blob.size);
        }
        self.rebuilt.manifests += 1;
        self.rebuilt.tags += push.tags.len();
        Ok(())
    }

    async fn read_blobs(&mut self) -> Result<()> {
        for (digest, found) in std::mem::take(&mut self.contents) {
            let said = self.needed.remove(&digest).flatten();
            if found.size <= INLINE_BYTES_MAX as u64 {
                self.read_small_blob(found).await?;
            } else if said == Some(found.size) || self.rows.during(self.layouts.is_intact(&self.name, &digest)).await? {
                self.put_blob(found, None).await?;
            } else {
                let size = found.size;
                let expected = said.map(|said| format!(", manifests say {said}")).unwrap_or_default();
                self.damaged(&format!("blob {digest} has another digest, and {size} bytes{expected}"));
            }
        }
        for digest in std::mem::take(&mut self.needed).into_keys() {
            self.damaged(&format!("blob {digest} is not there"));
        }
        Ok(())
    }

    /// Large blobs were durable before they got a name, so that one of the right size is right. Small ones were written by the projector, and may
    /// be zeros after a power cut.
    async fn read_small_blob(&mut self, found: Found) -> Result<()> {
        let digest = found.digest;
        match self.layouts.read(&self.name, &digest).await? {
            Some(bytes) if Digest::of(digest.algorithm(), &bytes) == digest => self.put_blob(found, Some(bytes)).await,
            _ => {
                self.damaged(&format!("blob {digest} has another digest"));
                Ok(())
            }
        }
    }

    async fn put_blob(&mut self, Found { digest, size, modified }: Found, small: Option<Bytes>) -> Result<()> {
        let (location, place) = match small {
            Some(_) if self.dedupe => (Location::Inline, String::new()),
            _ if self.dedupe => (Location::Shared, self.layouts.keep(&self.name, &digest, &BlobKey::shared(&digest)).await?),
            _ => (Location::Own, self.layouts.keep(&self.name, &digest, &BlobKey::own(&self.name, &digest)).await?),
        };
        if self.dedupe {
            let row = BlobRow { size, location: location.into(), inline: small.unwrap_or_default(), place: place.clone() };
            self.rows.put(Key::Blob(digest), row.encode_to_vec()).await?;
        }
        let row = LinkRow { size, location: location.into(), touched_unix_ms: unix_ms(modified), place };
        self.rows.put(Key::Link(self.name.clone(), digest), row.encode_to_vec()).await?;
        self.rebuilt.blobs += 1;
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
