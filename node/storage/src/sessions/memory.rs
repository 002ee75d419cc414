//! Upload sessions in memory, for tests.

use std::{collections::HashMap, time::SystemTime};

use parking_lot::Mutex;
use zot_contract::UploadId;

use super::{SessionRecord, Sessions};
use crate::{Result, metadata::Outcome};

/// Upload sessions in memory.
#[derive(Debug, Default)]
pub struct MemorySessions {
    saved: Mutex<HashMap<UploadId, (SessionRecord, SystemTime)>>,
    shared: bool,
}

impl MemorySessions {
    /// Upload sessions in memory that several engines may use at the same time.
    pub fn shared() -> Self {
        Self { shared: true, ..Self::default() }
    }
}

#[async_trait::async_trait]
impl Sessions for MemorySessions {
    async fn save(&self, upload: UploadId, session: &SessionRecord, previous: Option<u64>) -> Result<Outcome> {
        let mut saved = self.saved.lock();
        if saved.get(&upload).map(|(stored, _)| stored.revision) != previous {
            return Ok(Outcome::Conflict);
        }
        saved.insert(upload, (session.clone(), SystemTime::now()));
        Ok(Outcome::Committed)
    }

    async fn load(&self, upload: UploadId) -> Result<Option<SessionRecord>> {
        Ok(self.saved.lock().get(&upload).map(|(session, _)| session.clone()))
    }

    async fn remove(&self, upload: UploadId) -> Result<()> {
        self.saved.lock().remove(&upload);
        Ok(())
    }

    async fn list(&self) -> Result<Vec<(UploadId, SystemTime)>> {
        Ok(self.saved.lock().iter().map(|(upload, (_, saved))| (*upload, *saved)).collect())
    }

    fn shared(&self) -> bool {
        self.shared
    }
}
