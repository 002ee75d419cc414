//! SIGKILL at random moments of a concurrent load: what was acknowledged is there, whole, and everything goes on.

use zot_tests::{Sandbox, sandbox::run};

use crate::{
    layouts,
    load::{AfterFailure, Load},
    model::{Checked, Fact, check, push_to_every_repository},
    random::Random,
    rounds::Rounds,
};

/// Kills of one registry, after which the next begins with an empty directory.
const KILLS_PER_REGISTRY: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_pushes_survive_kill_9() {
    let mut rounds = Rounds::of("kill -9 under load", 50);
    let mut total = Tally::default();
    for registry in 0..rounds.count.div_ceil(KILLS_PER_REGISTRY) {
        let dedupe = registry % 3 != 2;
        let durable = registry % 2 == 0;
        let random = rounds.random.fork(registry as u64);
        registry_that_is_killed(dedupe, durable, random, &mut total).await;
        rounds.random.next();
    }
    println!("{total:?}");
}

#[derive(Debug, Default)]
struct Tally {
    kills: usize,
    acknowledged: usize,
    uploads_resumed: usize,
    checked: Checked,
    layout_files: usize,
}

async fn registry_that_is_killed(dedupe: bool, durable: bool, mut random: Random, total: &mut Tally) {
    let mut sandbox = Sandbox::builder().set("/storage/dedupe", dedupe).set("/storage/commit", durable).start().await;
    let mut load = Load::new(&random);
    for _ in 0..KILLS_PER_REGISTRY {
        let running = load.start(&sandbox.url());
        // The fault comes at any time: nothing is waited for.
        tokio::time::sleep(random.milliseconds(20..500)).await;
        sandbox.kill9();
        load = running.stopped().await;
        if random.once_in(4) {
            sandbox.spawn();
            tokio::time::sleep(random.milliseconds(0..60)).await;
        }
        sandbox.restart().await;
        assert_eq!(layouts::leftovers(sandbox.root()), [""; 0], "files of uploads that were not reclaimed");
        let client = sandbox.client();
        total.uploads_resumed += load.resume_uploads(&client, AfterFailure::Kept).await;
        total.checked.add(check(&load.model, &client).await);
        push_to_every_repository(&load.model, &client, random.next()).await;
        total.kills += 1;
    }
    total.acknowledged += load.model.acknowledged();
    total.layout_files += ends_well(sandbox, &load).await;
}

/// Ends the registry as it should end, and rebuilds it from what other tools can read.
async fn ends_well(mut sandbox: Sandbox, load: &Load) -> usize {
    check(&load.model, &sandbox.client()).await;
    assert_eq!(sandbox.terminate().await.code(), Some(0));
    let files = layouts::check(&load.model, sandbox.root());
    let rebuilt = run(&["rebuild", sandbox.config_file().to_str().expect("a readable path")]);
    assert_eq!(rebuilt.code, Some(0), "{}", rebuilt.stdout);
    // Blobs of no manifest are in no layout.
    load.model.forget(|fact| matches!(fact, Fact::Blob { .. }));
    sandbox.restart().await;
    check(&load.model, &sandbox.client()).await;
    files
}
