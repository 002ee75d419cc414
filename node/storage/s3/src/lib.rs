//! A bucket of S3, or of what speaks its protocol: bytes, the port [`zot_storage::blobs::BlobStore`], and the image layouts that tell what they
//! are, the port [`zot_storage::layouts::Layouts`].
//!
//! Nothing depends on conditional writes, renames or copies, which many servers lack: the rows say what is true. Nothing is listed on the way
//! of a request: only [`S3Blobs::reap`], [`S3Blobs::placed`], [`zot_storage::blobs::BlobStore::staged`] and the discarding of an upload
//! whose state nobody knows list, and so do layouts when they are read; all of that is work in the background.
//!
//! # What a push and a pull cost
//! | what | calls |
//! |---|---|
//! | a layer of at most one part, in one request or in one chunk | 1 `PutObject` |
//! | the same in several chunks | a `PutObject` for each and one for all; a `DeleteObject` for each that nobody waits for |
//! | a larger layer of n parts | n `UploadPart`, `CreateMultipartUpload`, `CompleteMultipartUpload`; a `PutObject` for each acknowledged chunk |
//! | a layer in an image layout, shown in the background | 1 `PutObject` |
//! | a read | 1 `GetObject` |
//! | a link to give to a client | 1 `HeadObject` |
//! | whether bytes are there | 1 `HeadObject`, and a `HeadBucket` if they are not |
//!
//! # What S3 must allow
//! - on the bucket: `s3:ListBucket`, `s3:ListBucketMultipartUploads`;
//! - on its objects: `s3:PutObject`, `s3:GetObject`, `s3:DeleteObject`, `s3:AbortMultipartUpload`.
//!
//! `s3:GetBucketLocation` and `s3:ListMultipartUploadParts`, which zot's documentation names besides, are not used. An `objectacl` needs
//! `s3:PutObjectAcl`, a `keyid` what the key's policy asks for (`kms:GenerateDataKey`, `kms:Decrypt`).
//!
//! # Keys of the configuration without effect
//! `multipartcopychunksize`, `multipartcopymaxconcurrency` and `multipartcopythresholdsize`, because nothing is copied; `v4auth`, because
//! there is no other signature any more; `loglevel`, because the client logs through the registry's own log.
//!
//! # Servers that want parts of one size
//! Some servers (Cloudflare's R2) take only parts of equal size. Parts have the size of `chunksize` up to the 900th and grow from there, so
//! that content of up to 900 times `chunksize` (7 GiB by default) is stored there too; a larger `chunksize` moves that bound.

mod blobs;
mod bucket;
mod buffer;
mod calls;
mod http;
mod keys;
mod layouts;
mod limits;
mod memory;
mod open;
mod parts;
mod read;
mod staged;
mod store;

pub use blobs::{Placed, S3Blobs};
pub use calls::Calls;
pub use layouts::S3Layouts;
pub use limits::Limits;
pub use open::OpenError;
