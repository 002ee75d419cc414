//! A disk that is gone under a running registry: every answer is a refusal or the truth, and the process ends when it is asked to.

use zot_tests::sandbox::Signal;

use crate::{
    disk::{Disk, PLAIN},
    load::{AfterFailure, Load},
    model::{Fact, check, nothing_wrong_is_served, push_to_every_repository},
    rounds::Rounds,
};

/// What is looked at while the disk is of no use.
const LOOKS: usize = 100;
const DISK_MEBIBYTES: u64 = 256;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_under_load_makes_nothing_wrong_and_loses_nothing() {
    let mut rounds = Rounds::of("I/O errors under load", 6);
    let name = "a_disk_that_fails_under_load_makes_nothing_wrong_and_loses_nothing";
    let Some(disk) = Disk::new(name, DISK_MEBIBYTES, PLAIN) else { return };
    // It says so too when it ends without its disk.
    let mut sandbox = disk.sandbox().tolerate_errors("could not serve").start().await;
    let mut load = Load::new(&rounds.random);
    let model = load.model.clone();
    for round in 0..rounds.count {
        let running = load.start(&sandbox.url());
        // The fault comes at any time: nothing is waited for.
        tokio::time::sleep(rounds.random.milliseconds(50..500)).await;
        // This way of failing may let an fsync succeed that was under way: what is acknowledged from here on may be lost.
        let instant = model.now();
        disk.fail();
        tokio::time::sleep(rounds.random.milliseconds(10..300)).await;
        nothing_wrong_is_served(&model, &sandbox.client(), LOOKS).await;
        if round % 2 == 0 {
            sandbox.kill9();
        } else {
            sandbox.signal(Signal::TERM);
            sandbox.ended().await;
        }
        load = running.stopped().await;
        model.rewind(instant);
        disk.mount_again();
        sandbox.restart().await;
        let client = sandbox.client();
        load.resume_uploads(&client, AfterFailure::MayBeLost).await;
        check(&model, &client).await;
        push_to_every_repository(&model, &client, rounds.random.next()).await;
    }
    let tags = model.facts().iter().filter(|fact| matches!(fact, Fact::Tag { .. })).count();
    println!("{} failures, {} acknowledged, {} refused, {tags} tags", rounds.count, model.acknowledged(), model.refusals());
}
