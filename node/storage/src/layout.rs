//! Where everything lies: every path and key, drawn once.
//!
//! ```text
//! <root>/_zot/lock                          held while a process works here
//! <root>/_zot/metadata.redb                 the metadata store
//! <root>/_uploads/<id>                      bytes of an upload in progress
//! <root>/_uploads/<id>.session              how far it is
//! <root>/_blobs/<algorithm>/<hh>/<hex>      a blob's bytes, once (hh: the first two characters of hex)
//! <root>/_own/<repository>/<algorithm>/<hex> bytes that one repository has to itself: large manifests, and blobs without dedupe
//! <root>/<repository>/oci-layout            the repository as an OCI image layout that other tools can read:
//! <root>/<repository>/index.json              its manifests and tags,
//! <root>/<repository>/blobs/<algorithm>/<hex> its content, by hard link to _blobs or _own
//! <root>/<repository>/.index.json.zot         the index as it was found, if not all of it could be read into rows
//! ```
//!
//! An image layout is never the only place of anything, so that whoever keeps it may remove files from it.
//! No repository name has a component that starts with `_`, so nothing here collides.

use std::path::{Path, PathBuf};

use zot_contract::UploadId;
use zot_oci::{Algorithm, Digest, RepositoryName};

/// The name of the marker file of an OCI image layout (image-spec, "oci-layout file").
pub(crate) const OCI_LAYOUT_FILE: &str = "oci-layout";
/// The name of the index of an OCI image layout.
pub(crate) const INDEX_FILE: &str = "index.json";
/// The name of the index of a layout as it was found, beside what it was replaced with.
pub const FOUND_INDEX_FILE: &str = ".index.json.zot";

/// The name that a blob's bytes have in a [`crate::blobs::BlobStore`], as a relative path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BlobKey {
    text: String,
    digest: Digest,
}

impl BlobKey {
    /// The name that all repositories share.
    pub fn shared(digest: &Digest) -> Self {
        let hex = digest.hex();
        let (first, _) = hex.split_at(2);
        Self { text: format!("_blobs/{}/{first}/{hex}", digest.algorithm()), digest: *digest }
    }

    /// The name of one repository's own copy.
    pub fn own(repository: &RepositoryName, digest: &Digest) -> Self {
        Self { text: format!("_own/{repository}/{}/{}", digest.algorithm(), digest.hex()), digest: *digest }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The digest of the bytes that are stored under it.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

/// Where a blob's bytes are in a [`crate::blobs::BlobStore`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BlobAddress {
    /// The key that they were committed under.
    pub key: BlobKey,
    /// The name that the store chose for them instead, which only the store can read; empty if they are under their key.
    pub place: String,
}

impl From<BlobKey> for BlobAddress {
    fn from(key: BlobKey) -> Self {
        Self { key, place: String::new() }
    }
}

impl BlobAddress {
    /// A place of which is not known what is there; good for removing it.
    pub(crate) fn unknown_at(place: String) -> Self {
        Self { key: BlobKey::shared(&Digest::sha256(&[])), place }
    }

    /// The name that the bytes have: their place, or else their key.
    pub fn as_str(&self) -> &str {
        if self.place.is_empty() { self.key.as_str() } else { &self.place }
    }
}

/// The paths of a root directory.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("_zot/lock")
    }

    pub(crate) fn metadata(&self) -> PathBuf {
        self.root.join("_zot/metadata.redb")
    }

    pub(crate) fn uploads(&self) -> PathBuf {
        self.root.join("_uploads")
    }

    pub(crate) fn upload(&self, id: UploadId) -> PathBuf {
        self.root.join(format!("_uploads/{id}"))
    }

    pub(crate) fn session(&self, id: UploadId) -> PathBuf {
        self.root.join(format!("_uploads/{id}.session"))
    }

    pub(crate) fn blob(&self, key: &BlobKey) -> PathBuf {
        self.root.join(key.as_str())
    }

    pub(crate) fn repository(&self, repository: &RepositoryName) -> PathBuf {
        self.root.join(repository.as_str())
    }

    pub(crate) fn repository_blobs(&self, repository: &RepositoryName, algorithm: Algorithm) -> PathBuf {
        self.root.join(format!("{repository}/blobs/{algorithm}"))
    }

    pub(crate) fn repository_blob(&self, repository: &RepositoryName, digest: &Digest) -> PathBuf {
        self.repository_blobs(repository, digest.algorithm()).join(digest.hex())
    }
}
