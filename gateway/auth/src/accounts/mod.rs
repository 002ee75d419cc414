//! What the registry knows of users, as this process sees it: looked at a moment ago at most, and changed without undoing what others change.

mod logins;

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;
use zot_contract::{Context, Error, Registry, Result, UserName, UserRecord};
use zot_runtime::telemetry::chain;

use crate::Internal;

pub use logins::GroupsNoted;

/// How long a record is believed to be as it was seen. What another process changes counts here after this time.
const SEEN_MAX: Duration = Duration::from_secs(2);

/// The most users whose records are remembered.
const USERS_SEEN_MAX: usize = 4096;

/// How often a change is tried again that others keep getting ahead of.
const ATTEMPTS_MAX: u32 = 16;

/// The longest pause between the first two attempts; the next ones are longer.
const PAUSE_MAX: Duration = Duration::from_millis(20);

/// The records of users.
pub struct Accounts {
    registry: Arc<dyn Registry>,
    internal: Internal,
    seen: Mutex<HashMap<UserName, Arc<Slot>>>,
}

/// What was seen of one user. Whoever looks holds the lock meanwhile: the others wait and see the same.
type Slot = tokio::sync::Mutex<Option<Seen>>;

struct Seen {
    at: Instant,
    record: Option<Arc<UserRecord>>,
}

impl Accounts {
    /// The records that `registry` keeps.
    pub fn new(registry: Arc<dyn Registry>) -> Self {
        Self { registry, internal: Arc::new(Context::internal), seen: Mutex::default() }
    }

    /// The same, asked for in the contexts that `internal` makes.
    #[must_use]
    pub fn asking_as(self, internal: Internal) -> Self {
        Self { internal, ..self }
    }

    /// What is known of a user, as of some seconds ago at most.
    ///
    /// # Errors
    /// It cannot be told for now.
    pub async fn find(&self, user: &UserName) -> Result<Option<Arc<UserRecord>>> {
        let now = Instant::now();
        self.find_since(user, now.checked_sub(SEEN_MAX).unwrap_or(now)).await
    }

    /// What is known of a user, as of later than `since`.
    ///
    /// # Errors
    /// It cannot be told for now.
    pub async fn find_since(&self, user: &UserName, since: Instant) -> Result<Option<Arc<UserRecord>>> {
        let slot = self.slot(user);
        let mut seen = slot.lock().await;
        if let Some(seen) = seen.as_ref().filter(|seen| seen.at > since) {
            return Ok(seen.record.clone());
        }
        let at = Instant::now();
        let found = self.registry.find_user(&(self.internal)(), user).await?;
        let record = found.map(|found| Arc::new(found.record));
        *seen = Some(Seen { at, record: record.clone() });
        Ok(record)
    }

    /// Changes what is known of a user; `change` says what comes of it, or that there is nothing to change. It is made again on the record as it
    /// is then whenever another process was faster, and may find what it did already.
    ///
    /// # Errors
    /// The record cannot be read or saved, or others were faster again and again.
    pub async fn change<T>(&self, user: &UserName, mut change: impl FnMut(&mut UserRecord) -> Option<T> + Send) -> Result<Option<T>> {
        let cx = (self.internal)();
        let mut attempts = 0;
        loop {
            let found = self.registry.find_user(&cx, user).await?;
            let (expected, before) = found.map_or((None, UserRecord::default()), |found| (Some(found.revision), found.record));
            let mut record = before.clone();
            let Some(done) = change(&mut record) else { return Ok(None) };
            if record == before {
                return Ok(Some(done));
            }
            let saved = self.registry.save_user(&cx, user, expected, &record).await;
            // Whatever became of it: what was seen before may be old now.
            *self.slot(user).lock().await = None;
            match saved {
                Ok(()) => return Ok(Some(done)),
                Err(Error::UserChanged { .. }) if attempts < ATTEMPTS_MAX => attempts += 1,
                Err(error) => return Err(error),
            }
            tokio::time::sleep(PAUSE_MAX.mul_f64(rand::random::<f64>() * f64::from(attempts))).await;
        }
    }

    /// Notes the groups that whoever proved a user's identity named, if they are others than before: an API key is good for no more than its
    /// owner was at the last login. That it cannot be noted keeps nobody from logging in.
    pub async fn remember_groups(&self, user: &str, mut groups: Vec<String>) {
        let Ok(user) = user.parse::<UserName>() else { return };
        groups.sort();
        groups.dedup();
        if let Err(error) = self.note_groups(&user, &groups).await {
            tracing::warn!(%user, error = %chain(&error), "groups of a user could not be noted, API keys of the user go by older ones");
        }
    }

    async fn note_groups(&self, user: &UserName, groups: &[String]) -> Result<()> {
        let known = self.find(user).await?;
        if known.as_ref().map_or(&[][..], |record| &record.groups) == groups {
            return Ok(());
        }
        let note = |record: &mut UserRecord| {
            groups.clone_into(&mut record.groups);
            Some(())
        };
        self.change(user, note).await.map(drop)
    }

    fn slot(&self, user: &UserName) -> Arc<Slot> {
        let mut seen = self.seen.lock();
        if let Some(slot) = seen.get(user) {
            return Arc::clone(slot);
        }
        if seen.len() >= USERS_SEEN_MAX {
            seen.clear();
        }
        Arc::clone(seen.entry(user.clone()).or_default())
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
