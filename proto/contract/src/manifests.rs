//! The role that has manifests.

use bytes::Bytes;
use zot_oci::{Digest, MediaType, Reference, RepositoryName, Tag};

use crate::{Context, Result};

/// Takes in, gives out and deletes manifests, with the tags that point to them.
///
/// # Contract
/// - A manifest, its tags and its entry in the list of referrers appear together or not at all.
/// - An accepted manifest's config and layers are in the repository. The children of an index may be absent.
/// - A manifest is served as the bytes that were pushed.
/// - A tag is a register: of concurrent pushes to one tag the last one stays, and each is either wholly before or wholly after another.
/// - What a push may do to a tag is decided where the tag is written: of concurrent pushes that may make it but not move it, one makes it.
#[async_trait::async_trait]
pub trait Manifests: Send + Sync {
    /// What is known of a manifest without its bytes.
    async fn stat_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<ManifestInfo>;

    /// A manifest.
    async fn get_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference) -> Result<StoredManifest>;

    /// Stores a manifest and points its tags to it. If one of them may not be written, none is: [`crate::Error::TagExists`],
    /// [`crate::Error::TagUnknown`].
    async fn put_manifest(&self, cx: &Context, repository: &RepositoryName, push: ManifestPush) -> Result<PushedManifest>;

    /// By tag: removes the tag alone. By digest: removes the manifest with all its tags, and refuses with
    /// [`crate::Error::ManifestReferenced`] while an index of the repository lists it; with [`crate::Error::ManifestTagged`] if that would be
    /// more than one tag, and collisions are to be refused.
    async fn delete_manifest(&self, cx: &Context, repository: &RepositoryName, reference: &Reference, collisions: Collisions)
    -> Result<()>;
}

/// A manifest on its way in.
#[derive(Debug, Clone)]
pub struct ManifestPush {
    /// The digest of `bytes`; checked by whoever stores it.
    pub digest: Digest,
    /// The tags to point to it, without repetition; none to store it by digest only.
    pub tags: Vec<TagPush>,
    /// Its media type.
    pub media_type: MediaType,
    /// Its bytes, stored verbatim.
    pub bytes: Bytes,
}

/// A tag that a push writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagPush {
    /// The tag.
    pub tag: Tag,
    /// What may be done to it.
    pub rule: TagRule,
}

/// What a push may do to a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagRule {
    /// Make it or move it.
    Any,
    /// Make it; a tag that is there stays, also if it points to the same manifest.
    New,
    /// Move it; one that is not there is not made.
    Existing,
}

impl From<Tag> for TagPush {
    fn from(tag: Tag) -> Self {
        Self { tag, rule: TagRule::Any }
    }
}

/// What becomes of the deletion of a manifest that would take more than one tag with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collisions {
    /// It takes them.
    Accepted,
    /// It is refused.
    Refused,
}

/// What became of a pushed manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedManifest {
    /// The digest of its subject, if it has one: the registry then lists it as a referrer.
    pub subject: Option<Digest>,
}

/// What is known of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestInfo {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: MediaType,
    /// Its size in bytes.
    pub size: u64,
}

/// A manifest as it was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredManifest {
    /// What is known of it.
    pub info: ManifestInfo,
    /// Its bytes.
    pub bytes: Bytes,
}
