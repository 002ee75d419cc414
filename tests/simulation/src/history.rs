//! What happened: every event in order, what clients were told, and every promise that was seen broken.

use std::{
    collections::BTreeMap,
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use zot_contract::ManifestPush;
use zot_oci::{Digest, RepositoryName};

use crate::invariants::register::Register;

/// The history of one simulation; clones share it.
#[derive(Clone, Default)]
pub(crate) struct History(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// The simulation's clock, in milliseconds.
    now_ms: AtomicU64,
    /// Orders what happens at one time.
    steps: AtomicU64,
    events: Mutex<Vec<String>>,
    violations: Mutex<Vec<String>>,
    images: Mutex<Vec<Image>>,
    register: Mutex<Register>,
    /// The layer of each manifest that anybody tried to push.
    layers: Mutex<BTreeMap<Digest, Digest>>,
}

/// An image of which every push was acknowledged.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) repository: RepositoryName,
    pub(crate) manifest: ManifestPush,
    pub(crate) layer: Digest,
}

impl History {
    pub(crate) fn set_now(&self, now: Duration) {
        self.0.now_ms.store(now.as_millis() as u64, Ordering::Relaxed);
    }

    /// The simulation's clock.
    pub(crate) fn now(&self) -> Duration {
        Duration::from_millis(self.0.now_ms.load(Ordering::Relaxed))
    }

    /// A number greater than all before.
    pub(crate) fn step(&self) -> u64 {
        self.0.steps.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn note(&self, what: impl Display) {
        let line = format!("{:>6} ms  {what}", self.0.now_ms.load(Ordering::Relaxed));
        self.0.events.lock().push(line);
    }

    /// A promise is broken.
    pub(crate) fn violate(&self, what: impl Display) {
        self.note(format_args!("VIOLATION {what}"));
        self.0.violations.lock().push(what.to_string());
    }

    pub(crate) fn acknowledge(&self, image: Image) {
        self.0.images.lock().push(image);
    }

    /// Somebody is about to push a manifest with a layer.
    pub(crate) fn know(&self, manifest: Digest, layer: Digest) {
        self.0.layers.lock().insert(manifest, layer);
    }

    pub(crate) fn layer(&self, manifest: &Digest) -> Option<Digest> {
        self.0.layers.lock().get(manifest).copied()
    }

    pub(crate) fn images(&self) -> Vec<Image> {
        self.0.images.lock().clone()
    }

    /// The tags, as clients saw them.
    pub(crate) fn register<T>(&self, with: impl FnOnce(&mut Register) -> T) -> T {
        with(&mut self.0.register.lock())
    }

    pub(crate) fn events(&self) -> Vec<String> {
        self.0.events.lock().clone()
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.0.violations.lock().clone()
    }
}
