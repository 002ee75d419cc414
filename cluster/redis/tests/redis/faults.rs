//! Servers that are not there, go away, hang, come back, or are replaced.

use std::time::Duration;

use bytes::Bytes;
use zot_config::redis::Redis as Settings;
use zot_redis::{Connection, Error, Versioned};
use zot_services::{Fault, Proxy, Redis, RedisCluster, RedisSentinels, port, process::Signal, redis::MASTER_NAME, wait};

use super::{UPLOADS, available, open};

const LONG: Duration = Duration::from_secs(60);

/// A connection that does not wait for long.
fn impatient(port: u16) -> Connection {
    open(&format!("redis://127.0.0.1:{port}?dial_timeout=300ms&read_timeout=300ms"))
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_connected_to_once_it_is() {
    if !available("faults::a_server_that_is_not_there_yet_is_connected_to_once_it_is") {
        return;
    }
    let nobody = open(&format!("redis://127.0.0.1:{}", port::free()));
    assert!(matches!(nobody.get(&nobody.key(UPLOADS, 1)).await, Err(Error::Unreachable { .. })));

    let server = Redis::start().await;
    let proxy = Proxy::start(server.port()).await;
    proxy.set(Fault::Cut);
    let connection = impatient(proxy.port());
    wait::until("the proxy refuses", async || !connection.is_reachable().await).await;
    proxy.heal();
    wait::until("the server is reached", async || connection.is_reachable().await).await;
}

#[tokio::test]
async fn a_command_whose_connection_was_reset_is_sent_again() {
    if !available("faults::a_command_whose_connection_was_reset_is_sent_again") {
        return;
    }
    let mut server = Redis::start().await;
    let connection = open(&server.url());
    let key = connection.key(UPLOADS, 1);
    connection.set(&key, b"x", LONG).await.unwrap();
    // The server drops all connections; nothing is left of the one that the next command finds.
    server.restart().await;
    assert_eq!(connection.get(&key).await.unwrap(), None);
}

#[tokio::test]
async fn a_server_that_hangs_costs_a_bounded_wait_and_then_none() {
    if !available("faults::a_server_that_hangs_costs_a_bounded_wait_and_then_none") {
        return;
    }
    let mut server = Redis::start().await;
    let connection = impatient(server.port());
    wait::until("the server is reached", async || connection.is_reachable().await).await;
    server.process().signal(Signal::STOP);
    let key = connection.key(UPLOADS, 1);
    assert!(matches!(connection.get(&key).await, Err(Error::TimedOut { .. })));
    let many = futures::future::join_all((0..50).map(|_| connection.get(&key))).await;
    assert!(many.iter().all(Result::is_err));
    server.process().signal(Signal::CONT);
    wait::until("the server answers again", async || connection.is_reachable().await).await;
}

#[tokio::test]
async fn a_network_that_swallows_everything_is_noticed() {
    if !available("faults::a_network_that_swallows_everything_is_noticed") {
        return;
    }
    let server = Redis::start().await;
    let proxy = Proxy::start(server.port()).await;
    let connection = impatient(proxy.port());
    let key = connection.key(UPLOADS, 1);
    for fault in [Fault::Hang, Fault::Reset, Fault::Cut] {
        wait::until("the server is reached", async || connection.set(&key, b"x", LONG).await.is_ok()).await;
        proxy.set(fault);
        wait::until("the fault shows", async || connection.get(&key).await.is_err()).await;
        proxy.heal();
    }
    proxy.set(Fault::Latency(Duration::from_millis(20)));
    wait::until("a slow network will do", async || connection.get(&key).await.is_ok()).await;
}

#[tokio::test]
async fn writers_at_the_same_time_take_turns() {
    if !available("faults::writers_at_the_same_time_take_turns") {
        return;
    }
    let server = Redis::start().await;
    let connection = open(&server.url());
    let key = connection.key(UPLOADS, 1);
    let write = |previous: Option<u64>| {
        let (connection, key) = (connection.clone(), key.clone());
        let new = Versioned { revision: previous.map_or(1, |revision| revision + 1), value: Bytes::from_static(b"x") };
        async move { connection.compare_and_set(&key, &new, previous, LONG).await.unwrap() }
    };
    for previous in [None, Some(1), Some(2)] {
        let won = futures::future::join_all((0..32).map(|_| write(previous))).await;
        assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
    }
}

#[tokio::test]
async fn a_replica_that_takes_over_is_found() {
    if !available("faults::a_replica_that_takes_over_is_found") {
        return;
    }
    let mut servers = RedisSentinels::start().await;
    let settings = Settings { addresses: servers.addresses(), master_name: Some(MASTER_NAME.into()), ..Settings::default() };
    let connection = Connection::open(&settings).unwrap();
    let key = connection.key(UPLOADS, 1);
    connection.set(&key, b"before", LONG).await.unwrap();
    servers.primary().kill();
    wait::until("the replica has taken over", async || connection.set(&key, b"after", LONG).await.is_ok()).await;
    assert_eq!(connection.get(&key).await.unwrap(), Some(Bytes::from_static(b"after")));
}

#[tokio::test]
async fn a_primary_that_hangs_is_replaced_and_its_return_changes_nothing() {
    if !available("faults::a_primary_that_hangs_is_replaced_and_its_return_changes_nothing") {
        return;
    }
    let mut servers = RedisSentinels::start().await;
    let read_timeout = Some(Duration::from_millis(300));
    let settings = Settings { addresses: servers.addresses(), master_name: Some(MASTER_NAME.into()), read_timeout, ..Settings::default() };
    let connection = Connection::open(&settings).unwrap();
    let key = connection.key(UPLOADS, 1);
    wait::until("the primary is reached", async || connection.set(&key, b"before", LONG).await.is_ok()).await;
    let old = servers.primary();
    old.signal(Signal::STOP);
    wait::until("the replica has taken over", async || connection.set(&key, b"after", LONG).await.is_ok()).await;
    old.signal(Signal::CONT);
    let mut found = Vec::new();
    // It may not answer within its third of a second; if it answers, it is not the old one that does.
    wait::until("it has answered often enough", async || {
        found.extend(connection.get(&key).await);
        found.len() == 50
    })
    .await;
    assert!(found.iter().all(|value| value.as_deref() == Some(&b"after"[..])), "{found:?}");
    // Whoever connects now finds the new one, whatever the old one says of itself.
    let another = Connection::open(&settings).unwrap();
    wait::until("the new primary is found", async || {
        another.get(&key).await.is_ok_and(|value| value == Some(Bytes::from_static(b"after")))
    })
    .await;
}

#[tokio::test]
async fn a_sentinel_that_hangs_is_passed_over() {
    if !available("faults::a_sentinel_that_hangs_is_passed_over") {
        return;
    }
    let mut servers = RedisSentinels::start().await;
    servers.first_sentinel().signal(Signal::STOP);
    let dial_timeout = Some(Duration::from_secs(10));
    let settings = Settings { addresses: servers.addresses(), master_name: Some(MASTER_NAME.into()), dial_timeout, ..Settings::default() };
    let connection = Connection::open(&settings).unwrap();
    wait::until("another sentinel is asked", async || connection.is_reachable().await).await;
}

#[tokio::test]
async fn a_server_of_a_cluster_that_comes_back_serves_its_keys_again() {
    if !available("faults::a_server_of_a_cluster_that_comes_back_serves_its_keys_again") {
        return;
    }
    let mut servers = RedisCluster::start().await;
    let connection = open(&servers.url());
    let keys: Vec<_> = (0..30).map(|id| connection.key(UPLOADS, id)).collect();
    for key in &keys {
        connection.set(key, b"x", LONG).await.unwrap();
    }
    servers.restart(1).await;
    for key in &keys {
        wait::until("every key can be written", async || connection.set(key, b"y", LONG).await.is_ok()).await;
    }
    for process in servers.processes() {
        process.kill();
    }
    assert!(connection.get(&keys[0]).await.is_err());
    assert!(!connection.is_reachable().await);
}
