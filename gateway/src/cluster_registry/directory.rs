//! The newest view of the cluster that this process knows, and who owns what by it.
//!
//! A process belongs to one cluster: views of another one change nothing, until that has taken the place of its own (`census`).

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use zot_cluster::{HashKey, Placement, View};
use zot_contract::Result;

use super::unavailable;

/// How long a call that was told of a newer view waits for it.
const NEWER_VIEW_WITHIN: Duration = Duration::from_secs(2);
/// How long the stream that is followed may be behind what others know, before another node's is followed.
const BEHIND_MAX: Duration = Duration::from_millis(200);
/// How long a view is relied on that nobody repeats. Nodes repeat theirs every second; when the one that is followed dies, another one is found
/// within this, so that gateways that followed the same one do not send their clients away together.
const RELIED_ON_FOR: Duration = Duration::from_secs(5);

/// What a view was that a node told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It was newer than what was known, and is known from now on.
    Newer,
    /// It was known already, or is older.
    Known,
    /// It is of another cluster than the one that is known.
    OfAnotherCluster,
}

/// Who owns what. Views that are older than what is known change nothing, wherever they come from.
pub(super) struct Directory {
    key: HashKey,
    placement: watch::Sender<Option<Arc<Placement>>>,
    /// The number of the newest view that anybody spoke of.
    told: watch::Sender<u64>,
    /// When a node last told of its view.
    heard: Mutex<Option<Instant>>,
}

impl Directory {
    pub(super) fn new(key: HashKey) -> Self {
        Self { key, placement: watch::Sender::new(None), told: watch::Sender::new(0), heard: Mutex::default() }
    }

    /// Takes a view if it is newer than what is known, of the same cluster.
    pub(super) fn take(&self, view: View) -> Told {
        let mut told = Told::Newer;
        self.placement.send_if_modified(|known| {
            told = known.as_ref().map_or(Told::Newer, |known| compare(known.view(), &view));
            if told == Told::Newer {
                *known = Some(Arc::new(Placement::new(view, self.key)));
            }
            told == Told::Newer
        });
        told
    }

    /// Goes over to another cluster, which `view` is of.
    pub(super) fn replace(&self, view: View) {
        // What was told of views was told of the other cluster's.
        self.told.send_replace(0);
        self.placement.send_replace(Some(Arc::new(Placement::new(view, self.key))));
    }

    /// Who owns what by the newest view.
    pub(super) fn placement(&self) -> Result<Arc<Placement>> {
        self.placement.borrow().clone().ok_or_else(|| unavailable("no node has told yet who is in the cluster"))
    }

    fn number(&self) -> Option<u64> {
        self.placement.borrow().as_ref().map(|placement| placement.view().number)
    }

    /// Whether a member has this address by the newest view.
    pub(super) fn has_member(&self, address: &str) -> bool {
        self.placement.borrow().as_ref().is_some_and(|placement| placement.view().members.iter().any(|member| member.address == address))
    }

    /// Ends when a newer view than now is known.
    pub(super) async fn changed(&self) {
        // The sender lives as long as `self`.
        self.placement.subscribe().changed().await.ok();
    }

    /// Who owns what by the view of that number or a newer one, once it is known; asks for it to be looked for.
    pub(super) async fn reach(&self, number: u64) -> Result<Arc<Placement>> {
        let mut placements = self.placement.subscribe();
        self.told.send_if_modified(|told| {
            let newer = number > *told;
            *told = number.max(*told);
            newer
        });
        let reached = |placement: &Option<Arc<Placement>>| placement.as_ref().is_some_and(|placement| placement.view().number >= number);
        let placement = timeout(NEWER_VIEW_WITHIN, placements.wait_for(reached)).await;
        let placement = placement.ok().and_then(|placement| placement.ok()?.clone());
        placement.ok_or_else(|| unavailable("repository has moved, and nobody has told where to yet"))
    }

    /// Ends when others have known a newer view for a while. They are then forgotten: one who tells of a view that does not exist must not keep
    /// this process busy.
    pub(super) async fn fell_behind(&self) {
        let mut told = self.told.subscribe();
        loop {
            // The sender lives as long as `self`.
            if told.wait_for(|told| self.number().is_none_or(|known| *told > known)).await.is_err() {
                return;
            }
            sleep(BEHIND_MAX).await;
            let told = self.told.send_replace(0);
            if self.number().is_none_or(|known| told > known) {
                return;
            }
        }
    }

    /// Notes that a node tells of its view.
    pub(super) fn hear(&self) {
        *self.heard.lock() = Some(Instant::now());
    }

    /// Whether a node has told of its view within the last moments.
    pub(super) fn is_followed(&self) -> bool {
        self.heard.lock().is_some_and(|heard| heard.elapsed() < RELIED_ON_FOR)
    }
}

fn compare(known: &View, told: &View) -> Told {
    if told.is_of_another_cluster(known) {
        Told::OfAnotherCluster
    } else if told.number > known.number {
        Told::Newer
    } else {
        Told::Known
    }
}

#[cfg(test)]
mod tests {
    use zot_cluster::{ClusterId, Storage};

    use super::*;

    fn directory() -> Directory {
        Directory::new(HashKey::new(*b"loremipsumdolors"))
    }

    fn view(number: u64) -> View {
        View { cluster: None, number, storage: Storage::Shared, members: Vec::new() }
    }

    #[test]
    fn views_never_go_back() {
        let directory = directory();
        assert!(directory.placement().is_err());
        let taken = [3, 2, 3].map(|number| directory.take(view(number)));
        assert_eq!(taken, [Told::Newer, Told::Known, Told::Known]);
        assert_eq!(directory.number(), Some(3));
        assert_eq!(directory.take(view(4)), Told::Newer);
    }

    #[test]
    fn views_of_another_cluster_change_nothing_until_it_takes_the_place() {
        let directory = directory();
        let of = |cluster: &str, number| View { cluster: Some(ClusterId::new(cluster)), ..view(number) };
        directory.take(of("a", 5));
        let taken = [of("b", 9), of("b", 2), view(5)].map(|view| directory.take(view));
        assert_eq!(taken, [Told::OfAnotherCluster, Told::OfAnotherCluster, Told::Known]);
        directory.replace(of("b", 2));
        assert_eq!(directory.number(), Some(2));
        assert_eq!(directory.take(of("a", 6)), Told::OfAnotherCluster);
        assert_eq!(directory.take(of("b", 3)), Told::Newer);
    }

    #[tokio::test(start_paused = true)]
    async fn a_newer_view_is_waited_for_but_not_for_long() {
        let directory = directory();
        directory.take(view(1));
        assert!(directory.reach(2).await.is_err());
        let (reached, ()) = tokio::join!(directory.reach(2), async {
            directory.take(view(3));
        });
        assert_eq!(reached.unwrap().view().number, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_view_is_relied_on_for_a_while() {
        let directory = directory();
        assert!(!directory.is_followed());
        directory.hear();
        sleep(RELIED_ON_FOR - Duration::from_millis(1)).await;
        assert!(directory.is_followed());
        sleep(Duration::from_millis(1)).await;
        assert!(!directory.is_followed());
    }

    #[tokio::test(start_paused = true)]
    async fn being_behind_is_noticed_once() {
        let directory = directory();
        directory.take(view(1));
        assert!(directory.reach(9).await.is_err());
        directory.fell_behind().await;
        assert!(timeout(Duration::from_secs(60), directory.fell_behind()).await.is_err());
    }
}
