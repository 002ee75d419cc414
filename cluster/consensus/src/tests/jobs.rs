//! Jobs of the leader, run by the scheduler of each node.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::sleep;
use zot_runtime::{
    schedule::{BoxError, Every, Job, JobContext, Report, Scheduler, Scope},
    tasks::Tasks,
};

use super::network::Cluster;
use crate::ClusterRoles;

const EVERY: Every = Every { period: Duration::from_secs(1), run_max: Duration::from_secs(10) };

struct Sweep(Arc<AtomicUsize>);

impl Job for Sweep {
    const NAME: &'static str = "sweep";
    const SCOPE: Scope = Scope::Leader;

    async fn run(&self, _: &JobContext) -> Result<Report, BoxError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Report::did("removed 3"))
    }
}

struct Employed {
    tasks: Tasks,
    runs: Arc<AtomicUsize>,
}

impl Employed {
    fn at(cluster: &Cluster, node: usize) -> Self {
        let (tasks, runs) = (Tasks::new(), Arc::default());
        let roles = ClusterRoles::new(cluster.node(node).clone(), |_| true);
        Scheduler::new(tasks.clone(), Arc::new(roles)).start(Sweep(Arc::clone(&runs)), EVERY);
        Self { tasks, runs }
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_is_run_by_one_node_and_goes_on_elsewhere_when_that_one_is_cut_off() {
    let cluster = Cluster::up(3).await;
    let employed: Vec<Employed> = (1..=3).map(|node| Employed::at(&cluster, node)).collect();
    sleep(Duration::from_secs(60)).await;
    let at_work: Vec<usize> = (1..=3).filter(|node| employed[node - 1].runs() > 0).collect();
    let [first] = at_work[..] else { panic!("{at_work:?} run it") };
    let status = cluster.node(2).status().await.unwrap();
    assert_eq!((status.jobs[0].holder, status.jobs[0].last_result.as_deref()), (Some(cluster.id(first)), Some("removed 3")));

    cluster.isolate(first);
    sleep(Duration::from_secs(40)).await;
    let before = employed[first - 1].runs();
    let heir = (1..=3).find(|node| *node != first && employed[node - 1].runs() > 0).expect("another node runs it");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(employed[first - 1].runs(), before, "who is cut off has stopped");

    cluster.network.heal();
    sleep(Duration::from_secs(20)).await;
    let status = cluster.node(first).status().await.unwrap();
    assert_eq!((status.jobs[0].holder, status.jobs[0].epoch), (Some(cluster.id(heir)), 2));
    for process in &employed {
        assert_eq!(process.tasks.shutdown(Duration::from_secs(5)).await, [""; 0]);
    }
    assert_eq!(cluster.node(first).status().await.unwrap().jobs[0].holder, None, "it was given back");
}
