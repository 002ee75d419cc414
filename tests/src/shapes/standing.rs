//! The one cluster that serves all tests of a binary that need no settings of their own. It ends with the binary.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::sync::OnceCell;
use zot_services::guardian;

use crate::{
    cluster::{Cluster, Services},
    front::Names,
};

static STANDING: OnceCell<Standing> = OnceCell::const_new();
static TRIED: AtomicBool = AtomicBool::new(false);

/// The cluster, and how far its logs were looked at.
pub(super) struct Standing {
    cluster: Cluster,
    tests: AtomicUsize,
    seen: Mutex<BTreeMap<String, usize>>,
}

/// The standing cluster; started by the first test that asks.
pub(super) async fn get() -> &'static Standing {
    STANDING.get_or_init(start).await
}

async fn start() -> Standing {
    // Every test would otherwise wait as long as the first.
    assert!(!TRIED.swap(true, Ordering::Relaxed), "the standing cluster could not be started: see the test that tried");
    let services = Services::shared().await;
    let mut cluster = Cluster::builder().shared(&services.endpoints()).prepare();
    guardian::remove(cluster.directory());
    cluster.start().await;
    Standing { cluster, tests: AtomicUsize::new(0), seen: Mutex::default() }
}

impl Standing {
    pub(super) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Names for one more test.
    pub(super) fn names(&self) -> Names {
        Names::beneath(&format!("test{}", self.tests.fetch_add(1, Ordering::Relaxed)))
    }

    /// The errors that were logged since somebody last asked.
    pub(super) fn new_errors(&self) -> Vec<String> {
        // A test that failed while it held this has told why.
        let mut seen = self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        self.cluster.errors_since(&mut seen)
    }

    /// Shows how the logs end, for a test that fails.
    #[expect(clippy::print_stderr, reason = "shown by the test harness when the test fails")]
    pub(super) fn print_tails(&self) {
        eprintln!("the logs of the standing cluster ended:\n{}", self.cluster.tails());
    }
}
