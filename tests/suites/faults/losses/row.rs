//! One loss: a cluster suffers it while users do everything there is to do, and recovers.

use std::thread;

use futures::future::join_all;
use serde_json::json;
use zot_services::OpenIdProvider;
use zot_tests::{
    Client, Cluster,
    browser::{REGISTRY, auth, callback},
    cluster::Services,
    skip::skip,
    tell,
};

use super::{
    cells::{CACHED, COLUMNS, Cell, Column, Expected, NEW, PUSHED, REPOSITORIES, Unserved, pull, push},
    clean_up::{self, CleanUp, EXPIRY},
    loss::Loss,
};

/// What everybody may do without a login.
const ACTIONS: [&str; 4] = ["read", "create", "update", "delete"];
/// Pulls until a blob is surely kept by the node that serves it.
const PULLS: usize = 2;

/// Has a cluster suffer a loss, and fails the test unless users see what is expected of each column; prints the row.
pub(super) async fn row(loss: Loss, expected: [Expected; 5], clean_up: CleanUp) {
    let test = thread::current().name().unwrap_or("row").to_owned();
    if let Err(reason) = Services::available().and_then(|()| OpenIdProvider::available()).and_then(|()| loss.missing().map_or(Ok(()), Err))
    {
        return skip(&test, &reason);
    }
    let mut endpoints = Services::shared().await.endpoints();
    let Some(mut way) = loss.between(&mut endpoints, &test).await else { return };
    let provider = OpenIdProvider::start(&callback()).await;
    let builder = loss.tolerating(Cluster::builder().sized(1, 3).shared(&endpoints));
    let builder =
        builder.set("/storage/uploadExpiry", EXPIRY).set("/http/externalUrl", REGISTRY).set("/http/auth", auth(&provider.issuer()));
    let mut cluster = builder.set("/http/accessControl", json!({"repositories": {"**": {"anonymousPolicy": ACTIONS}}})).prepare();
    for number in 0..cluster.nodes().len() {
        let directory = cluster.directory().join(format!("cache-{number}"));
        cluster.node(number).set("/storage/blobCache/directory", directory.to_str().expect("a readable path"));
    }
    loss.prepare(&mut cluster, &way);
    cluster.start().await;
    cluster.all_nodes_up().await;
    let client = cluster.gateway(0).client();
    prepare(&client).await;
    clean_up::has_run(&cluster).await;
    loss.strike(&mut cluster, &mut way).await;
    let cells = join_all(COLUMNS.into_iter().zip(expected).map(|(column, expected)| Cell::try_out(&client, column, expected))).await;
    let is_seen = clean_up.is_seen(&cluster).await;
    let told = cells.iter().map(ToString::to_string).chain([if is_seen { clean_up.to_string() } else { "?".to_owned() }]);
    tell(&format!("| {} | {} |", loss.name(), told.collect::<Vec<_>>().join(" | ")));
    loss.heal(&mut cluster, &way).await;
    recovered(&client, &cells).await;
    let runs_again = CleanUp::Runs.is_seen(&cluster).await;
    // Last of all, and all at once: what was seen is of use also where it is not what was expected.
    let mut wrong: Vec<String> =
        cells.iter().zip(COLUMNS).zip(expected).filter_map(|((cell, column), is)| cell.wrong(column, is)).collect();
    wrong.extend((!is_seen).then(|| format!("the clean-up is to be {clean_up:?}, and is not")));
    wrong.extend((!runs_again).then(|| "the clean-up does not run again".to_owned()));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Pushes what is to be pulled, and pulls one half of it. The servers are busy with other tests as well, and may be late.
async fn prepare(client: &Client) {
    let pushes = (0..REPOSITORIES).map(|number| async move {
        for which in [CACHED, NEW] {
            again(async || push(client, number, which).await).await;
        }
        for _ in 0..PULLS {
            again(async || pull(client, number, CACHED).await).await;
        }
    });
    join_all(pushes).await;
}

/// Everything works again, and all that was acknowledged is there.
async fn recovered(client: &Client, cells: &[Cell]) {
    let pushed: Vec<u64> = cells[COLUMNS.iter().position(|column| *column == Column::Push).expect("a column")].served().collect();
    for number in 0..REPOSITORIES {
        for which in [CACHED, NEW, PUSHED] {
            if which != PUSHED || pushed.contains(&number) {
                again(async || pull(client, number, which).await).await;
            }
        }
        again(async || push(client, number, PUSHED + 1).await).await;
    }
}

/// Tries until it works.
async fn again(mut attempt: impl AsyncFnMut() -> Result<(), Unserved>) {
    zot_tests::wait::until("it works again", async || attempt().await.is_ok()).await;
}
