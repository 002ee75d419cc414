//! Every form of Redis does the same.

use std::time::Duration;

use bytes::Bytes;
use zot_config::redis::Redis as Settings;
use zot_redis::{Connection, Error, OpenError, Versioned};
use zot_services::{Redis, RedisCluster, RedisSentinels, redis::MASTER_NAME, wait};

use super::{UPLOADS, available, open, settings};

const LONG: Duration = Duration::from_secs(60);

/// Everything that a connection can do.
async fn does_everything(connection: &Connection) {
    assert!(connection.is_reachable().await);
    values_are_written_read_and_removed(connection).await;
    values_expire(connection).await;
    a_value_is_written_on_top_of_the_revision_seen_only(connection).await;
    all_ids_of_a_room_are_listed(connection).await;
}

async fn values_are_written_read_and_removed(connection: &Connection) {
    let key = connection.key(UPLOADS, "plain");
    assert_eq!(connection.get(&key).await.unwrap(), None);
    connection.set(&key, b"one", LONG).await.unwrap();
    connection.set(&key, b"\0\xfftwo", LONG).await.unwrap();
    assert_eq!(connection.get(&key).await.unwrap(), Some(Bytes::from_static(b"\0\xfftwo")));
    connection.delete(&key).await.unwrap();
    connection.delete(&key).await.unwrap();
    assert_eq!(connection.get(&key).await.unwrap(), None);
}

async fn values_expire(connection: &Connection) {
    let key = connection.key(UPLOADS, "short");
    connection.set(&key, b"gone soon", Duration::from_millis(1)).await.unwrap();
    wait::until("the value expires", async || connection.get(&key).await.unwrap().is_none()).await;
    let first = Versioned { revision: 1, value: Bytes::new() };
    assert!(connection.compare_and_set(&key, &first, None, Duration::from_millis(1)).await.unwrap());
    wait::until("the versioned value expires", async || connection.get_versioned(&key).await.unwrap().is_none()).await;
}

async fn a_value_is_written_on_top_of_the_revision_seen_only(connection: &Connection) {
    let key = connection.key(UPLOADS, "versioned");
    let version = |revision, text: &'static [u8]| Versioned { revision, value: Bytes::from_static(text) };
    assert_eq!(connection.get_versioned(&key).await.unwrap(), None);
    assert_eq!(connection.age(&key).await.unwrap(), None);
    assert!(!connection.compare_and_set(&key, &version(2, b"b"), Some(1), LONG).await.unwrap());
    assert!(connection.compare_and_set(&key, &version(1, b"\0\xff"), None, LONG).await.unwrap());
    assert!(!connection.compare_and_set(&key, &version(1, b"x"), None, LONG).await.unwrap());
    assert!(connection.compare_and_set(&key, &version(u64::MAX, b"b"), Some(1), LONG).await.unwrap());
    assert!(!connection.compare_and_set(&key, &version(3, b"c"), Some(1), LONG).await.unwrap());
    assert_eq!(connection.get_versioned(&key).await.unwrap(), Some(version(u64::MAX, b"b")));
    assert!(connection.age(&key).await.unwrap().unwrap() < LONG);
    connection.delete(&key).await.unwrap();
    assert_eq!(connection.get_versioned(&key).await.unwrap(), None);
}

async fn all_ids_of_a_room_are_listed(connection: &Connection) {
    let expected: std::collections::BTreeSet<String> = (0..300).map(|number| format!("listed-{number}")).collect();
    for id in &expected {
        connection.set(&connection.key(UPLOADS, id), b"", LONG).await.unwrap();
    }
    assert_eq!(connection.ids(UPLOADS).await.unwrap(), expected);
}

#[tokio::test]
async fn one_server_does_everything() {
    if !available("forms::one_server_does_everything") {
        return;
    }
    let server = Redis::start().await;
    let named = Settings { client_name: Some("a-registry".into()), protocol: Some(3), ..settings(&server.url()) };
    does_everything(&Connection::open(&named).unwrap()).await;
    let socket = Settings { key_prefix: Some("socket".into()), ..settings(&server.socket_url()) };
    does_everything(&Connection::open(&socket).unwrap()).await;
    let elsewhere = Settings { key_prefix: Some("z*t".into()), ..settings(&format!("{}/5", server.url())) };
    does_everything(&Connection::open(&elsewhere).unwrap()).await;
}

#[tokio::test]
async fn a_server_with_a_password_does_everything_for_who_knows_it() {
    if !available("forms::a_server_with_a_password_does_everything_for_who_knows_it") {
        return;
    }
    let server = Redis::start_with_password().await;
    does_everything(&open(&server.url())).await;
    let stranger = open(&format!("redis://:wrong@127.0.0.1:{}", server.port()));
    assert!(!stranger.is_reachable().await);
    let anonymous = open(&format!("redis://127.0.0.1:{}", server.port()));
    assert!(matches!(anonymous.get(&anonymous.key(UPLOADS, 1)).await, Err(Error::Refused { .. } | Error::Unreachable { .. })));
}

#[tokio::test]
async fn a_server_with_tls_does_everything_for_who_trusts_its_authority() {
    if !available("forms::a_server_with_tls_does_everything_for_who_trusts_its_authority") {
        return;
    }
    let server = Redis::start_with_tls().await;
    let trusting = Settings { ca_certificates: Some(server.authority()), ..settings(&server.url()) };
    does_everything(&Connection::open(&trusting).unwrap()).await;
    assert!(!open(&server.url()).is_reachable().await, "the system does not know the authority");
    assert!(open(&format!("{}?skip_verify=true", server.url())).is_reachable().await);
    let nobody = Settings { ca_certificates: Some(std::env::current_exe().unwrap()), ..trusting };
    assert!(matches!(Connection::open(&nobody), Err(OpenError::Authorities { .. })));
}

#[tokio::test]
async fn sentinels_lead_to_a_primary_that_does_everything() {
    if !available("forms::sentinels_lead_to_a_primary_that_does_everything") {
        return;
    }
    let servers = RedisSentinels::start().await;
    let settings = Settings { addresses: servers.addresses(), master_name: Some(MASTER_NAME.into()), ..Settings::default() };
    does_everything(&Connection::open(&settings).unwrap()).await;
}

#[tokio::test]
async fn a_cluster_does_everything() {
    if !available("forms::a_cluster_does_everything") {
        return;
    }
    let servers = RedisCluster::start().await;
    does_everything(&open(&servers.url())).await;
    let keys = Settings { addresses: servers.addresses(), key_prefix: Some("other".into()), ..Settings::default() };
    does_everything(&Connection::open(&keys).unwrap()).await;
}
