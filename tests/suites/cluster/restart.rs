//! The whole cluster ends, asked to or not, and is there again from its disks.

use zot_tests::{Cluster, Image};

use crate::start::{repositories, shared};

async fn everything_is_there_after_a_restart(mut cluster: Cluster) {
    for killed in [true, false] {
        let client = cluster.gateway(0).client().patient();
        for (seed, repository) in (0..).zip(repositories()) {
            client.push_image(&repository, &format!("killed-{killed}"), &Image::small(seed)).await;
        }
        if killed {
            cluster.kill9();
        } else {
            cluster.terminate().await;
        }
        cluster.start().await;
        let client = cluster.gateway(1).client();
        for (seed, repository) in (0..).zip(repositories()) {
            let found = client.retry(|client| client.get_manifest(&repository, &format!("killed-{killed}"))).await.reply.expect(200);
            assert!(found.body == Image::small(seed).manifest.bytes);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_with_shared_storage_starts_again() {
    let Some(builder) = shared().await else { return };
    everything_is_there_after_a_restart(builder.start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_disks_starts_again() {
    everything_is_there_after_a_restart(Cluster::builder().start().await).await;
}
