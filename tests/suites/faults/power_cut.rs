//! The power fails under a concurrent load: with `commit: true` nothing acknowledged is lost; without it nothing wrong is served.

use zot_tests::{Sandbox, sandbox::run};

use crate::{
    disk::{Disk, LAZY, PLAIN},
    layouts,
    load::{AfterFailure, Load},
    model::{Checked, Fact, Model, check, nothing_wrong_is_served, push_to_every_repository},
    random::Random,
    rounds::Rounds,
};

/// Power cuts of one disk, after which the next begins with an empty one.
const CUTS_PER_DISK: usize = 4;
const DISK_MEBIBYTES: u64 = 256;

#[derive(Debug, Default)]
struct Tally {
    cuts: usize,
    acknowledged: usize,
    uploads_resumed: usize,
    checked: Checked,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_pushes_survive_a_power_cut() {
    let rounds = Rounds::of("power cut", 24);
    let mut total = Tally::default();
    for number in 0..rounds.count.div_ceil(CUTS_PER_DISK) {
        let flavour = [LAZY, PLAIN][number % 2];
        let Some(disk) = Disk::new("acknowledged_pushes_survive_a_power_cut", DISK_MEBIBYTES, flavour) else { return };
        disk_that_loses_power(&disk, number % 4 != 3, rounds.random.fork(number as u64), &mut total).await;
    }
    println!("{total:?}");
}

async fn disk_that_loses_power(disk: &Disk, dedupe: bool, mut random: Random, total: &mut Tally) {
    let mut sandbox = disk.sandbox().set("/storage/commit", true).set("/storage/dedupe", dedupe).start().await;
    let mut load = Load::new(&random);
    for _ in 0..CUTS_PER_DISK {
        load = lose_power(&mut sandbox, disk, load, &mut random).await;
        sandbox.restart().await;
        assert_eq!(layouts::leftovers(sandbox.root()), [""; 0], "files of uploads that were not reclaimed");
        let client = sandbox.client();
        total.uploads_resumed += load.resume_uploads(&client, AfterFailure::MayBeLost).await;
        total.checked.add(check(&load.model, &client).await);
        push_to_every_repository(&load.model, &client, random.next()).await;
        total.cuts += 1;
    }
    total.acknowledged += load.model.acknowledged();
    assert_eq!(sandbox.terminate().await.code(), Some(0));
    layouts::check(&load.model, sandbox.root());
}

/// Loads the registry, cuts the power at some instant, and mounts the disk as it was then.
async fn lose_power(sandbox: &mut Sandbox, disk: &Disk, load: Load, random: &mut Random) -> Load {
    let model = load.model.clone();
    let running = load.start(&sandbox.url());
    // The fault comes at any time: nothing is waited for.
    tokio::time::sleep(random.milliseconds(50..800)).await;
    let instant = model.now();
    let copy = disk.copy();
    sandbox.kill9();
    let load = running.stopped().await;
    model.rewind(instant);
    disk.go_on_from(&copy);
    load
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_commit_a_power_cut_loses_pushes_but_never_serves_anything_wrong() {
    let rounds = Rounds::of("power cut without commit", 8);
    let (mut lost, mut rebuilt) = (0, 0);
    for number in 0..rounds.count {
        let flavour = [LAZY, PLAIN][number % 2];
        let name = "without_commit_a_power_cut_loses_pushes_but_never_serves_anything_wrong";
        let Some(disk) = Disk::new(name, DISK_MEBIBYTES, flavour) else { return };
        let found = disk_that_forgets(&disk, rounds.random.fork(number as u64)).await;
        lost += found.0;
        rebuilt += usize::from(found.1);
    }
    println!("{lost} facts lost, {rebuilt} times `zot rebuild` was needed");
    assert!(lost > 0, "a power cut that loses nothing of what was not synced proves nothing about what was");
}

/// How many facts were lost, and whether the metadata had to be rebuilt.
async fn disk_that_forgets(disk: &Disk, mut random: Random) -> (usize, bool) {
    // What was named but not written is found to be damaged, and said so: a file by the request for it, the metadata at start.
    let builder = disk.sandbox().set("/storage/commit", false).tolerate_errors("request failed").tolerate_errors("could not serve");
    let mut sandbox = builder.start().await;
    let mut load = Load::new(&random);
    let running = load.start(&sandbox.url());
    tokio::time::sleep(random.milliseconds(50..400)).await;
    disk.write_back();
    load = running.stopped().await;
    load = lose_power(&mut sandbox, disk, load, &mut random).await;
    let rebuilt = start_or_rebuild(&mut sandbox).await;
    let client = sandbox.client();
    let lost = nothing_wrong_is_served(&load.model, &client, usize::MAX).await;
    load.abandon_uploads();
    let empty = Model::default();
    for repository in load.model.repositories() {
        // What is there is not known any more; that a push is whole afterwards is.
        empty.begin([(Fact::tag(&repository, "probe"), None)]).acknowledged();
    }
    push_to_every_repository(&empty, &client, random.next()).await;
    (lost, rebuilt)
}

/// A metadata store that was half written is refused at start; then it is rebuilt. Whether that was so.
async fn start_or_rebuild(sandbox: &mut Sandbox) -> bool {
    sandbox.spawn();
    if sandbox.ready_or_ended().await.is_none() {
        return false;
    }
    let rebuilt = run(&["rebuild", sandbox.config_file().to_str().expect("a readable path")]);
    assert_eq!(rebuilt.code, Some(0), "{}", rebuilt.stdout);
    sandbox.restart().await;
    true
}
