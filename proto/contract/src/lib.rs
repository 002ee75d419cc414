//! What a registry promises, whoever holds it: a storage engine on this machine, a node across the network, a cluster, or memory.
//!
//! [`Registry`] is the sum of five roles: [`Blobs`], [`Uploads`], [`Manifests`], [`Catalog`] and [`Users`]. Whoever serves clients holds an
//! `Arc<dyn Registry>` and cannot tell what is behind it. The contract in the traits' prose is checked by one [`suite`] that every holder and
//! every decorator runs; [`MemoryRegistry`] is the shortest program that keeps it.
//!
//! # What holds for every method
//! - **Three answers.** A lookup finds, does not find ([`Error::BlobUnknown`] and its like), or fails ([`Error::Unavailable`],
//!   [`Error::Internal`]). A failure is never told as "not found".
//! - **Acknowledged is durable.** When a method that changes something returns `Ok`, the change survives a crash of any process.
//! - **Somewhere.** In a cluster, whoever does not have the repository says so with [`Error::Moved`] to callers that go by an older view; callers
//!   that say nothing of views, clients among them, never see it.
//! - **Linearizable.** A change is visible to every call that starts after it returned.
//! - **Once.** Of the calls that attempt one [`Operation`], one at most moves tags or deletes anything, and none does after one of them was
//!   answered. What is stored under its digest may be stored again.

mod blob_url;
mod blobs;
mod catalog;
mod context;
mod error;
mod manifests;
#[cfg(any(test, feature = "testing"))]
mod memory;
mod piece;
#[cfg(any(test, feature = "testing"))]
pub mod suite;
mod uploads;
mod users;

use std::fmt::Debug;

pub use blob_url::{BlobUrl, InvalidBlobUrl};
pub use blobs::{BlobBody, BlobInfo, BlobStream, Blobs, Fetched};
pub use catalog::{Catalog, PAGE_ENTRIES_MAX, Page, PageRequest, REFERRERS_BYTES_MAX, ReferrersPage};
pub use context::{Context, InvalidTraceParent, Operation, OperationId, RequestId, Routed, SealedClaim, Subject, TraceParent, Written};
pub use error::{BoxError, Error, Result};
pub use manifests::{Collisions, ManifestInfo, ManifestPush, Manifests, PushedManifest, StoredManifest, TagPush, TagRule};
#[cfg(any(test, feature = "testing"))]
pub use memory::MemoryRegistry;
pub use piece::{FilePart, HELD_BYTES_MAX, Held, Piece, PipePart, Pipes, in_memory};
pub use uploads::{Chunk, UploadId, UploadStatus, Uploads};
pub use users::{ApiKey, FoundUser, InvalidUserName, Revision, USER_NAME_BYTES_MAX, USER_RECORD_BYTES_MAX, UserName, UserRecord, Users};

/// A whole registry.
pub trait Registry: Blobs + Uploads + Manifests + Catalog + Users + Debug {}

impl<R: Blobs + Uploads + Manifests + Catalog + Users + Debug + ?Sized> Registry for R {}
