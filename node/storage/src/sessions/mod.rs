//! The port for upload sessions: how far each upload is, kept apart from its bytes.

mod filesystem;
mod memory;

use std::{fmt::Debug, time::SystemTime};

use bytes::Bytes;
use prost::Message;
use zot_contract::UploadId;

use crate::Result;
pub use filesystem::FilesystemSessions;
pub use memory::MemorySessions;

/// A store of upload sessions.
///
/// # Contract
/// - When [`Sessions::save`] returns, the session survives the death of this process. It need not survive a power cut: its hash state tells
///   whether the bytes it speaks of did.
/// - A session is read as it was saved, or not at all.
#[async_trait::async_trait]
pub trait Sessions: Debug + Send + Sync {
    /// Saves a session, replacing what was saved before.
    async fn save(&self, upload: UploadId, session: &SessionRecord) -> Result<()>;

    /// A saved session, if there is one.
    async fn load(&self, upload: UploadId) -> Result<Option<SessionRecord>>;

    /// Forgets a session, if there is one.
    async fn remove(&self, upload: UploadId) -> Result<()>;

    /// Every saved session, with the time of its last save.
    async fn list(&self) -> Result<Vec<(UploadId, SystemTime)>>;
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
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sessions_suite(store: &dyn Sessions) {
        let upload = UploadId::random();
        assert_eq!(store.load(upload).await.unwrap(), None);
        for offset in [3, 5] {
            let session = SessionRecord { repository: "a".into(), offset, inline: Bytes::from_static(b"abc"), ..Default::default() };
            store.save(upload, &session).await.unwrap();
            assert_eq!(store.load(upload).await.unwrap(), Some(session));
        }
        assert_eq!(store.list().await.unwrap().into_iter().map(|(upload, _)| upload).collect::<Vec<_>>(), [upload]);
        store.remove(upload).await.unwrap();
        store.remove(upload).await.unwrap();
        assert_eq!(store.load(upload).await.unwrap(), None);
        assert_eq!(store.list().await.unwrap(), []);
    }

    #[tokio::test]
    async fn memory_keeps_the_contract() {
        sessions_suite(&MemorySessions::default()).await;
    }

    #[tokio::test]
    async fn files_keep_the_contract() {
        let directory = tempfile::tempdir().unwrap();
        sessions_suite(&FilesystemSessions::open(directory.path()).unwrap()).await;
    }
}
