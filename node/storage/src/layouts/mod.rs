//! The port for image layouts: what other tools and a rebuild read, written by the projector a moment behind the rows.

mod filesystem;
mod memory;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod suite;

use std::{fmt::Debug, time::SystemTime};

use bytes::Bytes;
use zot_oci::{Digest, RepositoryName};

pub use crate::layout::FOUND_INDEX_FILE;
use crate::{BlobAddress, BlobKey, Result};
pub(crate) use filesystem::FilesystemLayouts;
pub use memory::MemoryLayouts;

/// The whole content of an `oci-layout` file (image-spec, "oci-layout file").
pub const OCI_LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// A store of OCI image layouts, one for each repository.
///
/// # Contract
/// - A repository is listed once its index was written.
/// - An index is replaced whole or not at all.
/// - When [`Layouts::sync`] returns, everything written before it is durable.
/// - A layout is never the only place of anything: it shows bytes that are in rows or in the blob store.
#[async_trait::async_trait]
pub trait Layouts: Debug + Send + Sync {
    /// Changes what the layout of a repository shows, in order.
    async fn apply(&self, repository: &RepositoryName, changes: Vec<Change>) -> Result<()>;

    /// Replaces the `index.json` of a repository, and makes it a layout if it is none.
    async fn write_index(&self, repository: &RepositoryName, index: Bytes) -> Result<()>;

    /// Makes everything written so far durable.
    async fn sync(&self) -> Result<()>;

    /// Every repository that has a layout.
    async fn repositories(&self) -> Result<Vec<RepositoryName>>;

    /// The `index.json` of a repository.
    async fn index(&self, repository: &RepositoryName) -> Result<Bytes>;

    /// Keeps the `index.json` of a repository as it is under another name, which is returned. What was kept before stays instead.
    async fn keep_index(&self, repository: &RepositoryName) -> Result<String>;

    /// What the layout of a repository shows.
    async fn contents(&self, repository: &RepositoryName) -> Result<Vec<Found>>;

    /// Whether content of a layout is there and has the digest that it is named by; all of it is read.
    async fn is_intact(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool>;

    /// Content of a layout that is small or a manifest, whole; nothing if it is not there.
    async fn read(&self, repository: &RepositoryName, digest: &Digest) -> Result<Option<Bytes>>;

    /// Makes content of a layout a blob again, as [`crate::blobs::Staged::commit`] does: under the key, or at the place that is returned.
    async fn keep(&self, repository: &RepositoryName, digest: &Digest, key: &BlobKey) -> Result<String>;
}

/// A change to what a layout shows.
#[derive(Debug, Clone)]
pub enum Change {
    /// Shows content, if it does not yet.
    Add(Content),
    /// Shows content no longer, if it does.
    Remove(Digest),
}

/// Content for a layout.
#[derive(Debug, Clone)]
pub enum Content {
    /// Bytes that are in the blob store: not to be copied if that can be helped.
    Stored {
        /// The digest of the bytes.
        digest: Digest,
        /// Where they are.
        at: BlobAddress,
        /// How many.
        size: u64,
        /// The bytes themselves, if they are at hand: those of manifests are, which a rebuild has to read.
        bytes: Option<Bytes>,
    },
    /// Small bytes that are in a row.
    Inline {
        /// The digest of the bytes.
        digest: Digest,
        /// The bytes.
        bytes: Bytes,
    },
}

impl Content {
    /// The digest of the bytes.
    pub fn digest(&self) -> &Digest {
        match self {
            Self::Stored { digest, .. } | Self::Inline { digest, .. } => digest,
        }
    }
}

/// Content that a layout shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The digest that it is named by.
    pub digest: Digest,
    /// The size of its bytes, wherever they are.
    pub size: u64,
    /// When it was last written.
    pub modified: SystemTime,
}
