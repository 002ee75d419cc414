//! The contract's suite over a cluster of three.

use std::sync::Arc;

use zot_cluster::{HashKey, Storage};
use zot_contract::suite::{Client, Fixture, registry_suite};

use super::cluster::Cluster;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_shared_storage_keeps_the_contract() {
    registry_suite(async || {
        let cluster = Cluster::start(Storage::Shared).await;
        Fixture::new(cluster.registry().await).keep(cluster)
    })
    .await;
}

/// A key by which the repositories between which the suite mounts are on one node: others cannot be mounted from.
fn neighbourly() -> HashKey {
    let keys = (0..=u128::MAX).map(|number| HashKey::new(number.to_le_bytes()));
    let together = |key: &HashKey, one: &str, other: &str| Cluster::owner_of_three(*key, one) == Cluster::owner_of_three(*key, other);
    let mut fitting = keys.filter(|key| together(key, "from", "to") && together(key, "from/here", "to/there"));
    fitting.next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_local_storage_keeps_the_contract() {
    let key = neighbourly();
    registry_suite(async || {
        let cluster = Cluster::with_key(Storage::Local, key).await;
        Fixture::new(cluster.registry().await).keep(cluster)
    })
    .await;
}

#[tokio::test]
async fn what_is_on_another_disk_is_uploaded_rather_than_mounted() {
    let cluster = Cluster::start(Storage::Local).await;
    let view = cluster.view(1, &[]);
    let apart = (0..).map(|number| format!("app-{number}")).find(|name| cluster.owner(&view, name) != cluster.owner(&view, "from"));
    let registry: Arc<dyn zot_contract::Registry> = Arc::new(cluster.registry().await);
    let (from, to) = (Client::new(&registry, "from"), Client::new(&registry, &apart.unwrap()));
    let digest = from.push_blob("abc").await;
    assert!(!to.mount(&digest, "from").await.unwrap());
    assert!(!to.has_blob(&digest).await);
    to.push_blob("abc").await;
    assert!(to.mount(&digest, "from").await.unwrap());
}
