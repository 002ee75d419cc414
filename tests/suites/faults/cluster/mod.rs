//! A cluster under load of which something dies, freezes, is cut off, comes or goes: nothing acknowledged is lost, and it goes on.

mod campaign;
mod nemesis;
mod partition;
mod probes;

use self::{
    campaign::campaign,
    nemesis::{Nemesis, Whom},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_are_killed_lose_nothing() {
    campaign(Nemesis::KillNode, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaders_that_are_killed_lose_nothing() {
    campaign(Nemesis::KillLeader, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_that_are_killed_lose_nothing() {
    campaign(Nemesis::KillGateway, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_freeze_and_wake_up_after_others_took_over_write_nothing_stale() {
    campaign(Nemesis::FreezeNode, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_starts_again_empty_costs_uploads_only() {
    campaign(Nemesis::EmptyRedis, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_s3_that_pauses_loses_nothing() {
    campaign(Nemesis::PauseS3, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dynamodb_that_pauses_loses_nothing() {
    campaign(Nemesis::PauseDynamoDb, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_joins_loses_nothing() {
    campaign(Nemesis::Join, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_drained_and_removed_loses_nothing() {
    campaign(Nemesis::DrainAndRemove, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_of_all_loses_nothing() {
    campaign(Nemesis::RollingRestart, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_from_its_peers_loses_nothing() {
    campaign(Nemesis::CutFrom(Whom::Peers), 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_from_its_peers_and_gateways_loses_nothing() {
    campaign(Nemesis::CutFrom(Whom::PeersAndGateways), 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_from_redis_loses_nothing() {
    campaign(Nemesis::CutFrom(Whom::Redis), 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_from_s3_loses_nothing() {
    campaign(Nemesis::CutFrom(Whom::S3), 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_from_dynamodb_loses_nothing() {
    campaign(Nemesis::CutFrom(Whom::DynamoDb), 2).await;
}
