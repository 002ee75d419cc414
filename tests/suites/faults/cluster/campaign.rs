//! One cluster, one kind of fault, several times, under load all the while; then the model is asked.

use std::{env, thread};

use zot_tests::{Cluster, cluster::Services, skip::skip, tell};

use super::{
    nemesis::Nemesis,
    probes::{Distribution, Probes},
};
use crate::{
    load::{AfterFailure, Load, WhenGone},
    model::{check, push_to_every_repository},
    rounds::Rounds,
};

/// Makes a run a full one, which takes longer.
const FULL: &str = "ZOT_TEST_FULL";
const KILLS_OF_A_FULL_RUN: usize = 20;

/// Strikes `times` at a cluster under load, and holds it to everything that it acknowledged.
pub(super) async fn campaign(nemesis: Nemesis, times: usize) {
    if let Err(reason) = Services::available() {
        return skip(&this_test(), &reason);
    }
    // Enough kills to tell how long it takes, where there is time for them.
    let is_full = env::var_os(FULL).is_some_and(|value| value == "1");
    let times = if is_full && nemesis.kills_nodes() { KILLS_OF_A_FULL_RUN } else { times };
    let mut rounds = Rounds::of(&format!("{nemesis:?} under load"), times);
    // What breaks a server must not break it for the other tests of this binary.
    let services = if nemesis.breaks_services() { Services::start().await } else { Services::shared().await };
    let mut cluster = nemesis.tolerating(Cluster::builder().shared(&services.endpoints())).prepare();
    let proxies = nemesis.arm(&mut cluster, &services).await;
    cluster.start().await;
    cluster.all_nodes_up().await;
    let front = cluster.front().await;
    let after = if nemesis == Nemesis::EmptyRedis { AfterFailure::MayBeLost } else { AfterFailure::Kept };
    let mut load = Load::with(&rounds.random, WhenGone::GoOn(after));
    let mut gaps = Vec::new();
    for round in 1..=rounds.count {
        let (running, probes) = (load.start(&front.url()), Probes::start(&front).await);
        tokio::time::sleep(rounds.random.milliseconds(500..1500)).await;
        nemesis.strike(&mut cluster, &services, &proxies, &mut rounds.random).await;
        cluster.all_nodes_up().await;
        load = running.stopped().await;
        gaps.push(probes.stop().await);
        tell(&format!("{nemesis:?} {round}: {}", gaps[round - 1]));
        gaps[round - 1].check();
        load.resume_uploads(&front.client(), after).await;
        let checked = check(&load.model, &front.client()).await;
        push_to_every_repository(&load.model, &front.client(), rounds.random.next()).await;
        tell(&format!("{nemesis:?} {round}: {} acknowledged, {} refused, {checked:?}", load.model.acknowledged(), load.model.refusals()));
    }
    tell(&format!("{nemesis:?}: {}", Distribution::of(&gaps)));
}

fn this_test() -> String {
    thread::current().name().unwrap_or("campaign").to_owned()
}
