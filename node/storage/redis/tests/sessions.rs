//! Upload sessions in every form of Redis, and while it fails.

#![cfg(test)]

use std::time::{Duration, SystemTime};

use zot_config::{Secret, redis::Redis as Settings};
use zot_contract::UploadId;
use zot_redis::Connection;
use zot_redis_sessions::RedisSessions;
use zot_services::{Redis, RedisCluster, RedisSentinels, process::Signal, redis::MASTER_NAME, skip::skip, wait};
use zot_storage::{
    Error,
    metadata::Outcome,
    sessions::{SessionRecord, Sessions},
    testing::sessions_suite,
};

const EXPIRY: Duration = Duration::from_secs(3600);

/// Whether there is a Redis to test with; otherwise the test is skipped by name.
fn available(test: &str) -> bool {
    Redis::available().inspect_err(|reason| skip(&format!("zot-redis-sessions::{test}"), reason)).is_ok()
}

fn open(settings: &Settings) -> RedisSessions {
    RedisSessions::new(Connection::open(settings).unwrap(), EXPIRY)
}

fn at(url: &str) -> Settings {
    Settings { url: Some(Secret::new(url)), ..Settings::default() }
}

fn behind(sentinels: &RedisSentinels) -> Settings {
    Settings { addresses: sentinels.addresses(), master_name: Some(MASTER_NAME.into()), ..Settings::default() }
}

fn session(revision: u64) -> SessionRecord {
    SessionRecord { repository: "app".into(), offset: revision * 100, revision, ..SessionRecord::default() }
}

#[tokio::test]
async fn one_server_keeps_the_contract() {
    if !available("one_server_keeps_the_contract") {
        return;
    }
    let server = Redis::start().await;
    sessions_suite(&open(&at(&server.url()))).await;
    let protected = Redis::start_with_password().await;
    sessions_suite(&open(&at(&protected.url()))).await;
}

#[tokio::test]
async fn a_server_with_tls_keeps_the_contract() {
    if !available("a_server_with_tls_keeps_the_contract") {
        return;
    }
    let server = Redis::start_with_tls().await;
    sessions_suite(&open(&Settings { ca_certificates: Some(server.authority()), ..at(&server.url()) })).await;
}

#[tokio::test]
async fn a_cluster_keeps_the_contract() {
    if !available("a_cluster_keeps_the_contract") {
        return;
    }
    let servers = RedisCluster::start().await;
    sessions_suite(&open(&at(&servers.url()))).await;
}

#[tokio::test]
async fn sentinels_keep_the_contract_before_and_after_the_replica_took_over() {
    if !available("sentinels_keep_the_contract_before_and_after_the_replica_took_over") {
        return;
    }
    let mut servers = RedisSentinels::start().await;
    let sessions = open(&behind(&servers));
    sessions_suite(&sessions).await;
    servers.primary().kill();
    wait::until("the replica has taken over", async || sessions.list().await.is_ok()).await;
    sessions_suite(&sessions).await;
}

#[tokio::test]
async fn what_one_process_saved_another_one_goes_on_from() {
    if !available("what_one_process_saved_another_one_goes_on_from") {
        return;
    }
    let server = Redis::start().await;
    let (one, other, upload) = (open(&at(&server.url())), open(&at(&server.url())), UploadId::random());
    assert!(one.shared());
    assert_eq!(one.save(upload, &session(1), None).await.unwrap(), Outcome::Committed);
    assert_eq!(other.load(upload).await.unwrap(), Some(session(1)));
    assert_eq!(other.save(upload, &session(2), Some(1)).await.unwrap(), Outcome::Committed);
    assert_eq!(one.save(upload, &session(3), Some(1)).await.unwrap(), Outcome::Conflict);
    let [(listed, saved)] = one.list().await.unwrap()[..] else { panic!("one session is listed") };
    let age = SystemTime::now().duration_since(saved).unwrap();
    assert!(listed == upload && age < Duration::from_secs(60), "{age:?}");
}

#[tokio::test]
async fn stores_do_not_see_each_others_uploads() {
    if !available("stores_do_not_see_each_others_uploads") {
        return;
    }
    let server = Redis::start().await;
    let (default, beside, upload) = (open(&at(&server.url())), open(&at(&server.url())).of_store("s3://b/[*]"), UploadId::random());
    assert_eq!(beside.save(upload, &session(1), None).await.unwrap(), Outcome::Committed);
    assert_eq!((default.load(upload).await.unwrap(), default.list().await.unwrap()), (None, vec![]));
    assert_eq!(beside.list().await.unwrap().len(), 1);
    beside.remove(upload).await.unwrap();
    sessions_suite(&beside).await;
}

#[tokio::test]
async fn a_server_that_comes_back_empty_knows_no_upload() {
    if !available("a_server_that_comes_back_empty_knows_no_upload") {
        return;
    }
    let mut server = Redis::start().await;
    let (sessions, upload) = (open(&at(&server.url())), UploadId::random());
    sessions.save(upload, &session(1), None).await.unwrap();
    server.restart().await;
    assert_eq!(sessions.load(upload).await.unwrap(), None);
    assert_eq!(sessions.save(upload, &session(2), Some(1)).await.unwrap(), Outcome::Conflict);
    assert_eq!(sessions.save(upload, &session(1), None).await.unwrap(), Outcome::Committed);
}

#[tokio::test]
async fn a_server_that_is_away_or_hangs_is_unavailable_and_never_says_absent() {
    if !available("a_server_that_is_away_or_hangs_is_unavailable_and_never_says_absent") {
        return;
    }
    let mut server = Redis::start().await;
    let (patient, upload) = (open(&at(&server.url())), UploadId::random());
    patient.save(upload, &session(1), None).await.unwrap();
    let sessions = open(&at(&format!("{}?dial_timeout=300ms&read_timeout=300ms", server.url())));
    wait::until("the session is found", async || sessions.load(upload).await.is_ok()).await;
    server.process().signal(Signal::STOP);
    refuses_all(&sessions, upload).await;
    server.process().signal(Signal::CONT);
    wait::until("the session is there again", async || sessions.load(upload).await.is_ok_and(|found| found == Some(session(1)))).await;
    server.kill();
    refuses_all(&sessions, upload).await;
}

async fn refuses_all(sessions: &RedisSessions, upload: UploadId) {
    let unavailable = |error: Option<Error>| assert!(matches!(error, Some(Error::Unavailable { .. })), "{error:?}");
    unavailable(sessions.load(upload).await.err());
    unavailable(sessions.save(upload, &session(2), Some(1)).await.err());
    unavailable(sessions.save(UploadId::random(), &session(1), None).await.err());
    unavailable(sessions.remove(upload).await.err());
    unavailable(sessions.list().await.err());
}
