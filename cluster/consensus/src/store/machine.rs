//! The agreed state in memory, begun from the newest snapshot on disk and carried on by the log.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder, StorageIOError, storage::RaftStateMachine};
use parking_lot::Mutex;
use redb::Durability;
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, time::Instant};
use zot_cluster::{ClusterId, Storage, View};

use super::{Result, Store, any, name};
use crate::{
    raft::{Entry, LogId, Snapshot, SnapshotMeta, StorageError, StoredMembership, Types},
    state::{Agreed, Command, Outcome},
};

/// A snapshot as it lies on disk.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    meta: SnapshotMeta,
    state: String,
}

/// The newest state that this node has applied, for everybody in the process to look at.
#[derive(Debug)]
pub(crate) struct Applied {
    storage: Storage,
    cluster: Mutex<Option<ClusterId>>,
    content: Mutex<Content>,
    views: watch::Sender<Option<Arc<View>>>,
}

#[derive(Debug, Default)]
struct Content {
    agreed: Agreed,
    /// When this node applied the newest grant or renewal of a job.
    renewed: BTreeMap<String, Instant>,
}

impl Applied {
    fn new(agreed: Agreed, storage: Storage, cluster: Option<ClusterId>) -> Self {
        let applied = Self { storage, cluster: Mutex::new(cluster), content: Mutex::default(), views: watch::Sender::new(None) };
        applied.replace(agreed);
        applied
    }

    /// Looks at the state.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&Agreed) -> T) -> T {
        look(&self.content.lock().agreed)
    }

    /// Has views say from now on which cluster they are of.
    pub(crate) fn set_cluster(&self, cluster: ClusterId) {
        *self.cluster.lock() = Some(cluster);
    }

    /// Follows the view.
    pub(crate) fn views(&self) -> watch::Receiver<Option<Arc<View>>> {
        self.views.subscribe()
    }

    /// Knows of no view any more.
    pub(crate) fn forget(&self) {
        self.views.send_replace(None);
    }

    /// How long ago this node applied the newest grant or renewal of a job.
    pub(crate) fn since_renewal(&self, job: &str) -> Option<Duration> {
        self.content.lock().renewed.get(job).map(Instant::elapsed)
    }

    /// Takes over a state from elsewhere. When its leases were renewed is not known: they are counted from now, which is late enough.
    fn replace(&self, agreed: Agreed) {
        let mut content = self.content.lock();
        let now = Instant::now();
        content.renewed = agreed.jobs.keys().map(|job| (job.clone(), now)).collect();
        content.agreed = agreed;
        self.publish(&content.agreed);
    }

    fn apply(&self, entries: impl IntoIterator<Item = Entry>) -> Vec<Outcome> {
        let mut content = self.content.lock();
        let before = content.agreed.view;
        let outcomes = entries.into_iter().map(|entry| content.apply(entry)).collect();
        if content.agreed.view != before {
            self.publish(&content.agreed);
        }
        outcomes
    }

    fn publish(&self, agreed: &Agreed) {
        let view = View { cluster: self.cluster.lock().clone(), number: agreed.view, storage: self.storage, members: agreed.members() };
        self.views.send_replace((view.number > 0).then(|| Arc::new(view)));
    }
}

impl Content {
    fn apply(&mut self, entry: Entry) -> Outcome {
        let before = self.agreed.members();
        self.agreed.applied = Some(entry.log_id);
        let outcome = match entry.payload {
            EntryPayload::Blank => Outcome::Done,
            EntryPayload::Normal(command) => self.carry_out(command),
            EntryPayload::Membership(membership) => {
                self.agreed.follow(entry.log_id, membership);
                Outcome::Done
            }
        };
        if self.agreed.members() != before {
            self.agreed.view += 1;
        }
        outcome
    }

    fn carry_out(&mut self, command: Command) -> Outcome {
        let leased = match &command {
            Command::Grant { job, .. } | Command::Renew { job, .. } => Some(job.clone()),
            _ => None,
        };
        let outcome = self.agreed.carry_out(command);
        if let Some(job) = leased.filter(|_| outcome != Outcome::Refused) {
            self.renewed.insert(job, Instant::now());
        }
        outcome
    }
}

/// What Raft applies its log to.
#[derive(Debug)]
pub(crate) struct Machine {
    store: Store,
    applied: Arc<Applied>,
}

impl Machine {
    /// Begins from the newest snapshot on disk.
    pub(crate) fn open(store: Store, storage: Storage) -> Result<Self> {
        let kept: Option<Kept> = store.value(name::SNAPSHOT)?;
        let agreed = kept.map(|kept| serde_json::from_str(&kept.state)).transpose()?.unwrap_or_default();
        let applied = Applied::new(agreed, storage, store.cluster()?);
        Ok(Self { store, applied: Arc::new(applied) })
    }

    pub(crate) fn applied(&self) -> Arc<Applied> {
        Arc::clone(&self.applied)
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> std::result::Result<(Option<LogId>, StoredMembership), StorageError> {
        Ok(self.applied.with(|agreed| (agreed.applied, agreed.membership.clone())))
    }

    async fn apply<I>(&mut self, entries: I) -> std::result::Result<Vec<Outcome>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        Ok(self.applied.apply(entries))
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        Builder { store: self.store.clone(), agreed: self.applied.with(Agreed::clone) }
    }

    async fn begin_receiving_snapshot(&mut self) -> std::result::Result<Box<String>, StorageError> {
        Ok(Box::default())
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, state: Box<String>) -> std::result::Result<(), StorageError> {
        let failed = |error| StorageIOError::write_snapshot(Some(meta.signature()), error);
        let agreed = serde_json::from_str(&state).map_err(|error| failed(any(error.into())))?;
        keep(&self.store, meta.clone(), *state).await.map_err(|error| failed(any(error)))?;
        self.applied.replace(agreed);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> std::result::Result<Option<Snapshot>, StorageError> {
        let kept: Option<Kept> = self.store.value(name::SNAPSHOT).map_err(|error| StorageIOError::read_snapshot(None, any(error)))?;
        Ok(kept.map(|kept| Snapshot { meta: kept.meta, snapshot: Box::new(kept.state) }))
    }
}

/// Writes the state of one moment as a snapshot.
pub(crate) struct Builder {
    store: Store,
    agreed: Agreed,
}

impl RaftSnapshotBuilder<Types> for Builder {
    async fn build_snapshot(&mut self) -> std::result::Result<Snapshot, StorageError> {
        let failed = |error| StorageIOError::write_snapshot(None, error);
        let last = self.agreed.applied;
        let meta = SnapshotMeta {
            last_log_id: last,
            last_membership: self.agreed.membership.clone(),
            snapshot_id: last.map_or_else(|| "empty".to_owned(), |last| last.to_string()),
        };
        let state = serde_json::to_string(&self.agreed).map_err(|error| failed(any(error.into())))?;
        keep(&self.store, meta.clone(), state.clone()).await.map_err(|error| failed(any(error)))?;
        Ok(Snapshot { meta, snapshot: Box::new(state) })
    }
}

/// Raft drops entries that a snapshot holds, so it is on the disk before Raft hears of it. One that was built slowly does not replace a newer one.
async fn keep(store: &Store, meta: SnapshotMeta, state: String) -> Result<()> {
    let keep = move |store: &Store| {
        let kept: Option<Kept> = store.value(name::SNAPSHOT)?;
        if kept.is_some_and(|kept| kept.meta.last_log_id > meta.last_log_id) {
            return Ok(());
        }
        store.put(name::SNAPSHOT, &Kept { meta, state }, Durability::Immediate)
    };
    store.blocking(keep).await
}
