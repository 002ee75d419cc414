//! The contract's suite through several engines in turn.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;
use zot_contract::{
    Registry,
    suite::{Client, Fixture, registry_suite},
};

use crate::{Stores, round_robin::RoundRobin};

fn in_turn(stores: &Stores) -> RoundRobin {
    RoundRobin::new(vec![Arc::new(stores.engine()), Arc::new(stores.engine())])
}

#[tokio::test(flavor = "multi_thread")]
async fn two_engines_in_turn_keep_the_contract() {
    registry_suite(async || Fixture::new(in_turn(&Stores::new()))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn engines_that_give_links_keep_the_contract() {
    registry_suite(async || Fixture::new(Stores::new().engine().with_links(Some(Duration::from_secs(60))))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn small_transactions_are_enough_for_the_contract() {
    registry_suite(async || Fixture::new(in_turn(&Stores::limited(8)))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_writers_through_two_engines_none_loses_a_tag() {
    let registry: Arc<dyn Registry> = Arc::new(in_turn(&Stores::limited(100)));
    let client = Client::new(&registry, "a");
    let mut writers = JoinSet::new();
    for number in 0..64 {
        let client = client.clone();
        writers.spawn(async move { client.push_image(number % 8, &[&format!("tag-{number:02}"), "latest"]).await });
    }
    writers.join_all().await;
    let tags: Vec<String> = ["latest".to_owned()].into_iter().chain((0..64).map(|number| format!("tag-{number:02}"))).collect();
    assert_eq!(client.tags().await, tags);
}
