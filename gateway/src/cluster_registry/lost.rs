//! Looks for members that did not answer, so that no client's request has to find out whether they are there again.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::{sync::mpsc, time::timeout};

use super::{
    directory::Directory,
    members::{PONG_WITHIN, Remote},
};

/// How long it is waited before a member is looked for; twice as long after each time in vain.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
/// The longest wait. A new view ends it: a member that started again is in one.
const PAUSE_MAX: Duration = Duration::from_secs(8);

/// Looks for every member that is lost, for as long as it is polled: each is asked by one call at a time.
pub(super) async fn look_for_lost(directory: Arc<Directory>, mut losses: mpsc::UnboundedReceiver<Arc<Remote>>) {
    let mut looking = FuturesUnordered::new();
    loop {
        tokio::select! {
            lost = losses.recv() => match lost {
                Some(remote) => looking.push(look_for(&directory, remote)),
                None => return,
            },
            Some(()) = looking.next() => {}
        }
    }
}

/// Asks a member whether it is there, until it is, or a member no more.
async fn look_for(directory: &Directory, remote: Arc<Remote>) {
    tracing::warn!(address = remote.address, "a node does not answer, others are asked first");
    let mut pause = PAUSE_FIRST;
    while remote.is_lost() && directory.has_member(&remote.address) {
        if timeout(pause, directory.changed()).await.is_ok() {
            pause = PAUSE_FIRST;
        } else {
            pause = (pause * 2).min(PAUSE_MAX);
        }
        if remote.answers(PONG_WITHIN).await {
            remote.find();
        }
    }
    // Should it be lost again, or come back as a member, it is looked for again.
    remote.find();
    tracing::info!(address = remote.address, "a node that did not answer is asked again");
}
