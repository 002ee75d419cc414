//! The one error of the contract, named by what the caller can do about it.

use std::time::Duration;

use zot_oci::{Descriptor, Digest, InvalidManifest, Reference, RepositoryName, Tag};

use crate::{UploadId, UserName, users::USER_RECORD_BYTES_MAX};

/// An error of any kind, boxed.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The result of every method of the contract.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a registry did not do what it was asked.
///
/// Exhaustive on purpose: a new variant fails to compile in the tables that translate it to HTTP and to gRPC until they decide.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing was ever pushed to the repository.
    #[error("repository {repository} is unknown")]
    NameUnknown {
        /// The repository.
        repository: RepositoryName,
    },
    /// The repository does not have the blob, whatever others have.
    #[error("blob {digest} is not in repository {repository}")]
    BlobUnknown {
        /// The repository.
        repository: RepositoryName,
        /// The blob.
        digest: Digest,
    },
    /// A manifest of the repository needs the blob, so it cannot be deleted.
    #[error("blob {digest} of repository {repository} is referenced by manifest {manifest}")]
    BlobReferenced {
        /// The repository.
        repository: RepositoryName,
        /// The blob.
        digest: Digest,
        /// One of the manifests that need it.
        manifest: Digest,
    },
    /// The repository has no such manifest.
    #[error("manifest {reference} is not in repository {repository}")]
    ManifestUnknown {
        /// The repository.
        repository: RepositoryName,
        /// The tag or digest.
        reference: Reference,
    },
    /// The manifest is not one.
    #[error("manifest is invalid")]
    ManifestInvalid {
        /// What is wrong with it.
        #[source]
        reason: InvalidManifest,
    },
    /// The manifest needs a blob that the repository does not have: push it first.
    #[error("manifest references {digest}, which is not in repository {repository}")]
    ManifestBlobUnknown {
        /// The repository.
        repository: RepositoryName,
        /// The missing blob.
        digest: Digest,
    },
    /// An index of the repository lists the manifest, so it cannot be deleted.
    #[error("manifest {digest} of repository {repository} is listed by index {index}")]
    ManifestReferenced {
        /// The repository.
        repository: RepositoryName,
        /// The manifest.
        digest: Digest,
        /// One of the indexes that list it.
        index: Digest,
    },
    /// The tag is there, and the push may not move it.
    #[error("tag {tag} of repository {repository} exists")]
    TagExists {
        /// The repository.
        repository: RepositoryName,
        /// The tag.
        tag: Tag,
    },
    /// The tag is not there, and the push may not make it.
    #[error("tag {tag} of repository {repository} does not exist")]
    TagUnknown {
        /// The repository.
        repository: RepositoryName,
        /// The tag.
        tag: Tag,
    },
    /// The manifest has more than one tag, and would take all of them with it: delete the tags.
    #[error("manifest {digest} of repository {repository} has {tags} tags")]
    ManifestTagged {
        /// The repository.
        repository: RepositoryName,
        /// The manifest.
        digest: Digest,
        /// How many tags.
        tags: usize,
    },
    /// The bytes do not hash to the digest that was given for them.
    #[error("content has digest {found}, not {expected} as given")]
    DigestMismatch {
        /// The digest that was given.
        expected: Digest,
        /// The digest that the content has.
        found: Digest,
    },
    /// No such upload in this repository, or it is another subject's.
    #[error("upload {upload} is unknown")]
    UploadUnknown {
        /// The upload.
        upload: UploadId,
    },
    /// A chunk does not start where the upload ends: ask for its status and go on from there.
    #[error("chunk starts at byte {found}, but upload {upload} has {expected} bytes")]
    UploadOffset {
        /// The upload.
        upload: UploadId,
        /// The bytes that the upload has.
        expected: u64,
        /// The offset that was given.
        found: u64,
    },
    /// Another request is writing to the upload at this moment.
    #[error("upload {upload} is being written to by another request")]
    UploadBusy {
        /// The upload.
        upload: UploadId,
    },
    /// The record of a user is not as it was found any more: read again and decide anew.
    #[error("record of user {user} was changed meanwhile")]
    UserChanged {
        /// The user.
        user: UserName,
    },
    /// The record of a user would be too large: something of it has to go first.
    #[error("record of user {user} would have {bytes} bytes, of {USER_RECORD_BYTES_MAX} at most")]
    UserTooLarge {
        /// The user.
        user: UserName,
        /// How many bytes it would have.
        bytes: u64,
    },
    /// The body broke off before its end; what came before is kept.
    #[error("body of the request broke off")]
    BodyBroken(#[source] BoxError),
    /// The repository is not here: whoever asked goes by a view of the cluster that is older than this one. Ask again by a newer one, once.
    #[error("repository is elsewhere since view {view} of the cluster")]
    Moved {
        /// The number of the view that says so.
        view: u64,
    },
    /// Something needed is out of reach or has no room: the same call may succeed later.
    #[error("{what} is not available")]
    Unavailable {
        /// What is not available.
        what: &'static str,
        /// When to try again.
        retry_after: Duration,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// A fault inside the registry: report it.
    #[error("internal error")]
    Internal(#[source] BoxError),
}

impl Error {
    /// A fault inside the registry.
    pub fn internal(source: impl Into<BoxError>) -> Self {
        Self::Internal(source.into())
    }

    /// A manifest describes content by another size than the one it has.
    pub fn wrong_size(described: &Descriptor, stored: u64) -> Self {
        let Descriptor { digest, size, .. } = described;
        Self::ManifestInvalid { reason: InvalidManifest::Schema { reason: format!("`size` of {digest} must be {stored}, is {size}") } }
    }
}
