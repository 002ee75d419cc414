//! Upload sessions in memory, for tests.

use std::{collections::HashMap, time::SystemTime};

use parking_lot::Mutex;
use zot_contract::UploadId;

use super::{SessionRecord, Sessions};
use crate::Result;

/// Upload sessions in memory.
#[derive(Debug, Default)]
pub struct MemorySessions {
    saved: Mutex<HashMap<UploadId, (SessionRecord, SystemTime)>>,
}

#[async_trait::async_trait]
impl Sessions for MemorySessions {
    async fn save(&self, upload: UploadId, session: &SessionRecord) -> Result<()> {
        self.saved.lock().insert(upload, (session.clone(), SystemTime::now()));
        Ok(())
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
}
