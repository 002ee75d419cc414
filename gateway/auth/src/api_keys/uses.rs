//! When keys were last used: noted in memory, and saved together now and then, so that a use costs no write.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use zot_contract::{ApiKey, UserName, UserRecord};
use zot_runtime::telemetry::chain;

use crate::accounts::Accounts;

/// How often uses are saved, and how exact they are.
const SAVED_EVERY: Duration = Duration::from_secs(60);

/// The most users whose uses wait to be saved.
const USERS_MAX: usize = 10_000;

/// Uses that are not saved yet.
#[derive(Debug, Default)]
pub(super) struct Uses {
    waiting: Mutex<HashMap<UserName, HashMap<Uuid, u64>>>,
}

impl Uses {
    /// Notes that a key is used.
    pub(super) fn note(&self, user: &UserName, key: &ApiKey, now_unix_ms: u64) {
        let saved = key.last_used_unix_ms.unwrap_or_default();
        if now_unix_ms.saturating_sub(saved) < SAVED_EVERY.as_millis() as u64 {
            return;
        }
        let mut waiting = self.waiting.lock();
        if waiting.len() < USERS_MAX || waiting.contains_key(user) {
            waiting.entry(user.clone()).or_default().insert(key.id, now_unix_ms);
        }
    }

    /// Saves what waits. A use that cannot be saved is forgotten: the next one will be.
    pub(super) async fn save(&self, accounts: &Accounts) {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        for (user, uses) in waiting {
            if let Err(error) = accounts.change(&user, |record| apply(record, &uses)).await {
                tracing::warn!(%user, error = %chain(&error), "when API keys were last used could not be saved");
            }
        }
    }

    /// Saves what waits now and then, and once more at the end.
    pub(super) async fn keep_saving(self: Arc<Self>, accounts: Arc<Accounts>, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(SAVED_EVERY)).await.is_some() {
            self.save(&accounts).await;
        }
        self.save(&accounts).await;
    }
}

/// Nothing, if no key was used after what is saved of it.
fn apply(record: &mut UserRecord, uses: &HashMap<Uuid, u64>) -> Option<()> {
    let mut changed = None;
    for key in &mut record.api_keys {
        let used = uses.get(&key.id).copied();
        if used > key.last_used_unix_ms {
            (key.last_used_unix_ms, changed) = (used, Some(()));
        }
    }
    changed
}
