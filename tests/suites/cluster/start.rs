//! Starting a cluster for a test, and telling what it measured.

use std::{thread, time::Duration};

use zot_tests::{
    Cluster,
    cluster::{Builder, Endpoints, Services},
    skip::skip,
};

/// Repositories enough that every node owns some.
pub(crate) const REPOSITORIES: usize = 12;

/// Who stands still for longer may be taken for silent, and a body that is too long to be kept is then asked for again: after three seconds.
pub(crate) const STALL: Duration = Duration::from_secs(2);

/// The names of these repositories.
pub(crate) fn repositories() -> Vec<String> {
    (0..REPOSITORIES).map(|number| format!("team-{number}/app")).collect()
}

/// A cluster with shared storage to be set up, or nothing after saying that this test is skipped.
pub(crate) async fn shared() -> Option<Builder> {
    Some(Cluster::builder().shared(&shared_endpoints().await?))
}

/// Where shared storage is, or nothing after saying that this test is skipped.
pub(crate) async fn shared_endpoints() -> Option<Endpoints> {
    if let Err(reason) = Services::available() {
        skip(&this_test(), &reason);
        return None;
    }
    Some(Services::shared().await.endpoints())
}

/// Says what was measured, also of a test that passes.
pub(crate) fn tell(text: &str) {
    zot_tests::tell(&format!("{}: {text}", this_test()));
}

/// How long things took, as a text.
pub(crate) fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default();
    format!("median {:.1?}, longest {:.1?} of {}", at(50), at(100), times.len())
}

fn this_test() -> String {
    thread::current().name().unwrap_or("cluster").to_owned()
}
