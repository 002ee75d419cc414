//! Leases of jobs, and that no two nodes ever hold the same one.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::network::{Cluster, address, all_up};

const LENGTH: Duration = Duration::from_secs(3);

#[tokio::test(start_paused = true)]
async fn one_of_all_gets_a_job_and_gives_it_back() {
    let cluster = Cluster::up(3).await;
    let first = cluster.node(1).lease("sweep", LENGTH).await.unwrap().unwrap();
    assert_eq!(cluster.node(2).lease("sweep", LENGTH).await.unwrap(), None);
    assert_eq!(cluster.node(1).lease("sweep", LENGTH).await.unwrap(), None, "not even the same node twice");
    assert!(cluster.node(2).lease("other", LENGTH).await.unwrap().is_some());
    assert!(cluster.node(1).record_run("sweep", first.epoch, "3 removed").await.unwrap());
    cluster.node(1).release(first.clone()).await.unwrap();
    let second = cluster.node(2).lease("sweep", LENGTH).await.unwrap().unwrap();
    assert!(second.epoch > first.epoch);
    assert!(!cluster.node(1).record_run("sweep", first.epoch, "late").await.unwrap());
    let job = cluster.node(3).status().await.unwrap().jobs.into_iter().find(|job| job.name == "sweep").unwrap();
    assert_eq!((job.holder, job.epoch, job.last_result.as_deref()), (Some(cluster.id(2)), second.epoch, Some("3 removed")));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_renewed_is_nobody_elses() {
    let cluster = Cluster::up(3).await;
    let mut lease = cluster.node(1).lease("sweep", LENGTH).await.unwrap().unwrap();
    for _ in 0..10 {
        sleep(LENGTH / 2).await;
        let renewed = cluster.node(1).renew(&lease).await.unwrap().unwrap();
        assert!(renewed.until > lease.until && renewed.epoch == lease.epoch);
        lease = renewed;
        assert_eq!(cluster.node(2).lease("sweep", LENGTH).await.unwrap(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_of_a_node_that_is_gone_goes_to_another_once_it_ended() {
    let mut cluster = Cluster::up(3).await;
    let leader = cluster.leader().await;
    let lost = cluster.node(leader).lease("sweep", LENGTH).await.unwrap().unwrap();
    cluster.kill(leader).await;
    let heir = cluster.running()[0];
    let begun = Instant::now();
    let won = loop {
        match cluster.node(heir).lease("sweep", LENGTH).await {
            Ok(Some(lease)) => break lease,
            _ => sleep(Duration::from_millis(100)).await,
        }
        assert!(begun.elapsed() < LENGTH * 3);
    };
    assert!(won.until - LENGTH >= lost.until, "it was granted before the former one ended");
    assert!(won.epoch > lost.epoch);
    assert_eq!(cluster.node(heir).renew(&lost).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_starts_again_need_not_wait_for_its_own_lease() {
    let mut cluster = Cluster::up(1).await;
    let before = cluster.node(1).lease("sweep", Duration::from_secs(3600)).await.unwrap().unwrap();
    cluster.kill(1).await;
    cluster.start(1).await;
    cluster.until(1, |view| all_up(view, 1)).await;
    let after = cluster.node(1).lease("sweep", LENGTH).await.unwrap().unwrap();
    assert!(after.epoch > before.epoch);
}

#[tokio::test(start_paused = true)]
async fn a_lease_whose_answer_was_lost_is_granted_by_asking_again() {
    let cluster = Cluster::up(3).await;
    let leader = cluster.leader().await;
    let asking = (1..=3).find(|node| *node != leader).unwrap();
    cluster.network.cut(&address(leader), &address(asking));
    let request = cluster.node(asking).lease("sweep", Duration::from_secs(60));
    let heal = async {
        sleep(Duration::from_secs(1)).await;
        cluster.network.heal();
    };
    let (lease, ()) = tokio::join!(request, heal);
    // Either that request got it, or, if it gave up, nobody else did.
    if let Ok(lease) = lease {
        assert_eq!(lease.map(|lease| lease.epoch), Some(1));
    }
}
