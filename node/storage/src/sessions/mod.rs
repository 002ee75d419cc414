//! The port for upload sessions: how far each upload is, kept apart from its bytes.

mod filesystem;
mod memory;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod suite;

use std::{fmt::Debug, time::SystemTime};

use bytes::Bytes;
use prost::Message;
use zot_contract::UploadId;

use crate::{Result, metadata::Outcome};
pub use filesystem::FilesystemSessions;
pub use memory::MemorySessions;

/// A store of upload sessions.
///
/// # Contract
/// - When [`Sessions::save`] returns, the session survives the death of this process. It need not survive a power cut: its hash state tells
///   whether the bytes it speaks of did.
/// - Of several savers who start from one revision, one is applied and the others conflict.
/// - A session is read as it was saved, or not at all. A failed read is an error, never an absent session.
#[async_trait::async_trait]
pub trait Sessions: Debug + Send + Sync {
    /// Saves a session, if the one that is stored has the revision `previous`; with none, if none is stored. Otherwise it conflicts. It may have
    /// the same revision again: then it only gets younger.
    async fn save(&self, upload: UploadId, session: &SessionRecord, previous: Option<u64>) -> Result<Outcome>;

    /// A saved session, if there is one.
    async fn load(&self, upload: UploadId) -> Result<Option<SessionRecord>>;

    /// Forgets a session, if there is one.
    async fn remove(&self, upload: UploadId) -> Result<()>;

    /// Every saved session, with the time of its last save.
    async fn list(&self) -> Result<Vec<(UploadId, SystemTime)>>;

    /// Whether other processes use the same sessions at the same time.
    fn shared(&self) -> bool {
        false
    }
}

/// How far an upload is.
#[derive(Clone, PartialEq, Message)]
pub struct SessionRecord {
    /// The repository that it belongs to.
    #[prost(string, tag = "1")]
    pub repository: String,
    /// The name of the subject who opened it, empty if anonymous.
    #[prost(string, tag = "2")]
    pub subject: String,
    /// The name of the digest algorithm.
    #[prost(string, tag = "3")]
    pub algorithm: String,
    /// The state of the hash over the bytes so far.
    #[prost(bytes = "vec", tag = "4")]
    pub hash_state: Vec<u8>,
    /// The number of bytes so far.
    #[prost(uint64, tag = "5")]
    pub offset: u64,
    /// The bytes themselves, while they are few; otherwise they are staged in the blob store.
    #[prost(bytes = "bytes", tag = "6")]
    pub inline: Bytes,
    /// Whether the bytes are staged in the blob store.
    #[prost(bool, tag = "7")]
    pub staged: bool,
    /// Differs after each change: a random number below 2^48.
    #[prost(uint64, tag = "8")]
    pub revision: u64,
    /// What the blob store needs to take staged bytes up.
    #[prost(bytes = "bytes", tag = "9")]
    pub stage_state: Bytes,
    /// When a process began to make a blob of it, in milliseconds since the Unix epoch; 0 if none has.
    #[prost(uint64, tag = "10")]
    pub finishing_unix_ms: u64,
    /// Whether it is over; the session is about to be forgotten.
    #[prost(bool, tag = "11")]
    pub ended: bool,
    /// The operation that wrote to it last, empty if it had no name.
    #[prost(bytes = "bytes", tag = "12")]
    pub operation: Bytes,
    /// How many bytes there were before that.
    #[prost(uint64, tag = "13")]
    pub operation_from: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_keeps_the_contract() {
        suite::sessions_suite(&MemorySessions::default()).await;
        suite::sessions_suite(&MemorySessions::shared()).await;
    }

    #[tokio::test]
    async fn files_keep_the_contract() {
        let directory = tempfile::tempdir().unwrap();
        suite::sessions_suite(&FilesystemSessions::open(directory.path()).unwrap()).await;
    }
}
