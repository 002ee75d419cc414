//! Upload sessions in Redis: any process goes on where another one stopped.
//!
//! Redis may lose them, all at once when it starts again empty, or the last ones when a replica takes over: such an upload is unknown, or goes
//! on from where it was a moment before, and its client sends again what it is asked for. Nothing that was finished depends on them.

use std::time::{Duration, SystemTime};

use futures::{StreamExt, TryStreamExt};
use prost::Message;
use zot_contract::UploadId;
use zot_redis::{Connection, Key, Room, Versioned};
use zot_storage::{
    Error, Result,
    metadata::Outcome,
    sessions::{SessionRecord, Sessions},
};

/// For how long after its expiry a session is kept: whoever gives the upload up finds there what to clean up.
const SLACK: Duration = Duration::from_secs(6 * 60 * 60);
/// When a client should try again while Redis is away. A replica takes over within seconds.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// How many sessions are asked for their age at the same time.
const AGES_AT_A_TIME: usize = 32;

/// Upload sessions in Redis.
#[derive(Clone, Debug)]
pub struct RedisSessions {
    connection: Connection,
    store: String,
    kept_for: Duration,
}

impl RedisSessions {
    /// Sessions at the end of a connection. Redis forgets by itself those that were not saved for `upload_expiry` and some hours.
    #[must_use]
    pub fn new(connection: Connection, upload_expiry: Duration) -> Self {
        Self { connection, store: String::new(), kept_for: upload_expiry.saturating_add(SLACK) }
    }

    /// Keeps these sessions apart from those of other stores: whoever gives uploads up looks in one store for their bytes. All processes of a
    /// cluster call a store by the same name.
    #[must_use]
    pub fn of_store(self, name: impl Into<String>) -> Self {
        Self { store: name.into(), ..self }
    }

    fn room(&self) -> Room<'_> {
        Room::Uploads { store: &self.store }
    }

    fn key(&self, upload: UploadId) -> Key {
        self.connection.key(self.room(), upload)
    }

    /// The time at which a session was last saved, by this machine's clock.
    async fn saved(&self, upload: UploadId) -> Result<Option<(UploadId, SystemTime)>> {
        let age = self.connection.age(&self.key(upload)).await.map_err(failed("find the age", upload))?;
        let now = SystemTime::now();
        Ok(age.map(|age| (upload, now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH))))
    }
}

#[async_trait::async_trait]
impl Sessions for RedisSessions {
    async fn save(&self, upload: UploadId, session: &SessionRecord, previous: Option<u64>) -> Result<Outcome> {
        let key = self.key(upload);
        let new = Versioned { revision: session.revision, value: session.encode_to_vec().into() };
        let written = self.connection.compare_and_set(&key, &new, previous, self.kept_for).await.map_err(failed("save", upload))?;
        Ok(if written { Outcome::Committed } else { Outcome::Conflict })
    }

    async fn load(&self, upload: UploadId) -> Result<Option<SessionRecord>> {
        let found = self.connection.get_versioned(&self.key(upload)).await.map_err(failed("load", upload))?;
        let decode = |found: Versioned| SessionRecord::decode(found.value);
        found.map(decode).transpose().map_err(|error| Error::damaged(format!("the session of upload {upload}"), error))
    }

    async fn remove(&self, upload: UploadId) -> Result<()> {
        self.connection.delete(&self.key(upload)).await.map_err(failed("remove", upload))
    }

    async fn list(&self) -> Result<Vec<(UploadId, SystemTime)>> {
        let ids = self.connection.ids(self.room()).await.map_err(not_reached("list the sessions of uploads".to_owned()))?;
        let uploads: Vec<UploadId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        let saved = futures::stream::iter(uploads).map(|upload| self.saved(upload)).buffer_unordered(AGES_AT_A_TIME);
        // One that ended since is nothing.
        saved.try_filter_map(async |saved| Ok(saved)).try_collect().await
    }

    fn shared(&self) -> bool {
        true
    }
}

/// Wraps the failure of an act on the session of an upload; for `map_err`.
fn failed(act: &'static str, upload: UploadId) -> impl FnOnce(zot_redis::Error) -> Error {
    not_reached(format!("{act} the session of upload {upload}"))
}

fn not_reached(act: String) -> impl FnOnce(zot_redis::Error) -> Error {
    move |error| match error {
        zot_redis::Error::Unreachable { .. } | zot_redis::Error::TimedOut { .. } => {
            Error::unavailable("the store of upload sessions", RETRY_AFTER, Error::remote(act, error))
        }
        zot_redis::Error::Refused { .. } => Error::remote(act, error),
    }
}
