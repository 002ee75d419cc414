//! Which repositories this node owns, by the newest view that it has applied.

use std::sync::{Arc, OnceLock};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use zot_cluster::{HashKey, NodeId, Placement, Storage, View};
use zot_oci::RepositoryName;

/// Knows what this node owns; clones share it. It owns nothing until it is told otherwise.
#[derive(Clone)]
pub struct Ownership {
    node: Arc<OnceLock<NodeId>>,
    placement: Arc<watch::Sender<Arc<Placement>>>,
}

impl Default for Ownership {
    fn default() -> Self {
        Self { node: Arc::default(), placement: Arc::new(watch::Sender::new(Arc::new(nobody(Storage::Shared)))) }
    }
}

/// Nothing is placed in the view of nobody, under whatever key.
fn nobody(storage: Storage) -> Placement {
    let view = View { cluster: None, number: 0, storage, members: Vec::new() };
    Placement::new(view, HashKey::new([0; 16]))
}

impl Ownership {
    /// The newest placement.
    pub(super) fn placement(&self) -> watch::Receiver<Arc<Placement>> {
        self.placement.subscribe()
    }

    /// Whether this node owns a repository.
    pub fn owns(&self, repository: &RepositoryName) -> bool {
        let placement = Arc::clone(&self.placement.borrow());
        self.node.get().is_some_and(|node| placement.owner(repository).is_some_and(|owner| owner.id == *node))
    }

    /// Places repositories by each new view, as the member `node`, until `stop` is cancelled.
    pub(super) fn follow(
        &self,
        node: NodeId,
        mut views: watch::Receiver<Option<Arc<View>>>,
        key: HashKey,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + use<> {
        let told = self.clone();
        told.node.get_or_init(|| node);
        views.mark_changed();
        let following = async move {
            while views.changed().await.is_ok() {
                // Before the first view, and once the node was removed, there is none.
                let view = views.borrow_and_update().clone();
                let storage = told.placement.borrow().view().storage;
                let placement = view.map_or_else(|| nobody(storage), |view| Placement::new(View::clone(&view), key));
                told.placement.send_replace(Arc::new(placement));
            }
        };
        async move {
            stop.run_until_cancelled(following).await;
        }
    }
}
