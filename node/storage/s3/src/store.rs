//! What all uploads of a store share.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::task::JoinSet;
use zot_storage::Result;

use crate::{
    bucket::{Bucket, Multipart},
    keys::Keys,
    limits::Limits,
    memory::{Budget, Kept},
};

/// The most removals at a time; more wait for nobody but are left to the next sweep of what is abandoned.
const SWEEPS_MAX: usize = 1_000;

/// What all uploads of a store share.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) bucket: Bucket,
    pub(crate) keys: Keys,
    pub(crate) limits: Limits,
    /// The size of an upload's first parts, in bytes.
    pub(crate) part_bytes: u64,
    pub(crate) budget: Budget,
    pub(crate) kept: Kept,
    sweeps: Mutex<JoinSet<()>>,
}

impl Store {
    pub(crate) fn new(bucket: Bucket, keys: Keys, part_bytes: u64, limits: Limits) -> Self {
        let (budget, kept) = (Budget::new(limits.upload_bytes_max), Kept::new(limits.kept_bytes_max));
        Self { bucket, keys, limits, part_bytes, budget, kept, sweeps: Mutex::default() }
    }

    /// Removes objects that nobody needs any more, in the background.
    pub(crate) fn sweep(self: &Arc<Self>, names: Vec<String>) {
        if names.is_empty() {
            return;
        }
        let store = self.clone();
        self.in_background(async move {
            for name in names {
                store.bucket.delete(&store.keys.of(&name)).await?;
            }
            Ok(())
        });
    }

    /// Drops parts that nobody needs any more, in the background.
    pub(crate) fn abort(self: &Arc<Self>, multipart: Multipart) {
        let store = self.clone();
        self.in_background(async move { store.bucket.abort_multipart(&multipart).await });
    }

    /// What fails is left to [`crate::S3Blobs::reap`].
    fn in_background(&self, work: impl Future<Output = Result<()>> + Send + 'static) {
        let mut sweeps = self.sweeps.lock();
        while sweeps.try_join_next().is_some() {}
        if sweeps.len() >= SWEEPS_MAX {
            return;
        }
        sweeps.spawn(async move {
            if let Err(error) = work.await {
                tracing::debug!(error = &error as &dyn std::error::Error, "could not remove what an upload left");
            }
        });
    }

    /// Waits for everything that is being removed.
    pub(crate) async fn swept(&self) {
        let sweeps = std::mem::take(&mut *self.sweeps.lock());
        sweeps.join_all().await;
    }
}
