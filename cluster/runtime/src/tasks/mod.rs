//! Background tasks with names: what runs is known, what panics is said, and what does not stop is named.

use std::any::Any;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span, info_span};

use crate::telemetry::panic_text;

/// The tasks of a process; clones share them.
#[derive(Clone, Default)]
pub struct Tasks(Arc<Shared>);

#[derive(Default)]
struct Shared {
    tracker: TaskTracker,
    stop: CancellationToken,
    running: Mutex<BTreeMap<u64, Running>>,
    next: AtomicU64,
    panics: AtomicU64,
}

struct Running {
    name: Cow<'static, str>,
    /// What ends it by force; a blocking task has nothing.
    abort: Option<AbortHandle>,
}

impl Tasks {
    /// Returns an empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns what is cancelled when [`Tasks::shutdown`] begins: every task that does not end by itself waits for it.
    pub fn stop(&self) -> CancellationToken {
        self.0.stop.clone()
    }

    /// Runs a future under a name; the lines it logs carry the name as `task`. It must be called inside a runtime.
    pub fn spawn(&self, name: impl Into<Cow<'static, str>>, future: impl Future<Output = ()> + Send + 'static) {
        let entry = self.enter(name.into());
        let (id, span) = (entry.id, entry.span());
        let task = async move {
            if let Err(panic) = AssertUnwindSafe(future).catch_unwind().await {
                entry.panicked(&*panic);
            }
        };
        let handle = self.0.tracker.spawn(task.instrument(span));
        if let Some(running) = self.0.running.lock().get_mut(&id) {
            running.abort = Some(handle.abort_handle());
        }
    }

    /// Runs a function that blocks on a thread for such, under a name; it must look at [`Tasks::stop`] itself.
    pub fn spawn_blocking(&self, name: impl Into<Cow<'static, str>>, function: impl FnOnce() + Send + 'static) {
        let entry = self.enter(name.into());
        let span = entry.span();
        self.0.tracker.spawn_blocking(move || {
            let _inside = span.enter();
            if let Err(panic) = catch_unwind(AssertUnwindSafe(function)) {
                entry.panicked(&*panic);
            }
        });
    }

    /// Returns the names of the tasks that run, the oldest first.
    pub fn running(&self) -> Vec<String> {
        self.0.running.lock().values().map(|running| running.name.to_string()).collect()
    }

    /// Returns how many tasks ended in a panic.
    pub fn panics(&self) -> u64 {
        self.0.panics.load(Ordering::Relaxed)
    }

    /// Asks every task to stop, waits, and at the deadline aborts those that still run and returns their names.
    pub async fn shutdown(&self, deadline: Duration) -> Vec<String> {
        self.0.stop.cancel();
        self.0.tracker.close();
        if tokio::time::timeout(deadline, self.0.tracker.wait()).await.is_ok() {
            return Vec::new();
        }
        let running = self.0.running.lock();
        running.values().filter_map(|running| running.abort.as_ref()).for_each(AbortHandle::abort);
        running.values().map(|running| running.name.to_string()).collect()
    }

    fn enter(&self, name: Cow<'static, str>) -> Entry {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.0.running.lock().insert(id, Running { name: name.clone(), abort: None });
        Entry { id, name, shared: Arc::clone(&self.0) }
    }
}

/// A task's place among those that run, left however it ends.
struct Entry {
    id: u64,
    name: Cow<'static, str>,
    shared: Arc<Shared>,
}

impl Entry {
    fn span(&self) -> Span {
        info_span!("task", task = %self.name)
    }

    fn panicked(&self, panic: &(dyn Any + Send)) {
        self.shared.panics.fetch_add(1, Ordering::Relaxed);
        tracing::error!(error = panic_text(panic), "task {} panicked", self.name);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.shared.running.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests;
