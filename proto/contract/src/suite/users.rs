//! What holds for the records of users.

use std::sync::Arc;

use tokio::task::JoinSet;
use uuid::Uuid;

use super::content::{context, repository};
use crate::{ApiKey, Error, FoundUser, Registry, Result, Revision, USER_RECORD_BYTES_MAX, UserName, UserRecord};

/// How many savers work at once.
const SAVERS: u8 = 64;

/// The user of that name, which must be valid.
fn user(name: &str) -> UserName {
    name.parse().unwrap()
}

async fn find(registry: &Arc<dyn Registry>, name: &str) -> Option<FoundUser> {
    registry.find_user(&context("alice"), &user(name)).await.unwrap()
}

async fn save(registry: &Arc<dyn Registry>, name: &str, expected: Option<Revision>, record: &UserRecord) -> Result<()> {
    registry.save_user(&context("alice"), &user(name), expected, record).await
}

fn key(number: u8) -> ApiKey {
    ApiKey {
        id: Uuid::from_u128(number.into()),
        label: format!("key {number}: ä\u{1f511}"),
        secret_sha256: [number; 32],
        scopes: vec!["team/**:read".to_owned(), String::new()],
        created_unix_ms: 1,
        expires_unix_ms: number.is_multiple_of(2).then_some(u64::MAX),
        last_used_unix_ms: number.is_multiple_of(3).then_some(0),
        user_agent: "suite/1".to_owned(),
    }
}

fn full() -> UserRecord {
    UserRecord {
        groups: vec!["b".to_owned(), "a".to_owned(), "cn=devs,dc=example".to_owned()],
        api_keys: (0..4).map(key).collect(),
        starred: vec![repository("a/b"), repository("c")],
        bookmarked: vec![repository("d")],
        sessions_valid_from_unix_ms: 7,
    }
}

pub(super) async fn a_record_is_found_as_it_was_saved(registry: Arc<dyn Registry>) {
    for (name, record) in [("alice", full()), ("cn=bob#x,o=ä/b c", UserRecord::default())] {
        save(&registry, name, None, &record).await.unwrap();
        assert_eq!(find(&registry, name).await.unwrap().record, record);
    }
}

pub(super) async fn nothing_is_known_of_others(registry: Arc<dyn Registry>) {
    assert_eq!(find(&registry, "alice").await, None);
    save(&registry, "alice", None, &full()).await.unwrap();
    for name in ["alic", "alice2", "Alice", "alice#", "bob"] {
        assert_eq!(find(&registry, name).await, None, "{name}");
    }
}

pub(super) async fn only_what_was_found_is_replaced(registry: Arc<dyn Registry>) {
    save(&registry, "alice", None, &UserRecord::default()).await.unwrap();
    assert_refused!(save(&registry, "alice", None, &full()).await, Error::UserChanged { .. });
    let first = find(&registry, "alice").await.unwrap();
    save(&registry, "alice", Some(first.revision), &full()).await.unwrap();
    let second = find(&registry, "alice").await.unwrap();
    assert_ne!(second.revision, first.revision);
    assert_refused!(save(&registry, "alice", Some(first.revision), &UserRecord::default()).await, Error::UserChanged { .. });
    assert_eq!(find(&registry, "alice").await.unwrap(), second);
    assert_refused!(save(&registry, "bob", Some(first.revision), &full()).await, Error::UserChanged { .. });
    assert_eq!(find(&registry, "bob").await, None);
}

pub(super) async fn the_largest_record_fits_and_a_larger_one_does_not(registry: Arc<dyn Registry>) {
    let mut record = full();
    record.api_keys[0].label = "x".repeat(USER_RECORD_BYTES_MAX - record.size_bytes() + record.api_keys[0].label.len());
    assert_eq!(record.size_bytes(), USER_RECORD_BYTES_MAX);
    save(&registry, "alice", None, &record).await.unwrap();
    let found = find(&registry, "alice").await.unwrap();
    assert_eq!(found.record, record);
    record.api_keys[0].label.push('x');
    assert_refused!(save(&registry, "alice", Some(found.revision), &record).await, Error::UserTooLarge { .. });
    assert_eq!(find(&registry, "alice").await.unwrap(), found);
}

pub(super) async fn of_many_savers_no_change_is_lost(registry: Arc<dyn Registry>) {
    let savers = (0..SAVERS).map(|number| {
        let registry = registry.clone();
        async move {
            loop {
                let found = find(&registry, "alice").await;
                let expected = found.as_ref().map(|found| found.revision);
                let mut record = found.map(|found| found.record).unwrap_or_default();
                record.api_keys.push(key(number));
                match save(&registry, "alice", expected, &record).await {
                    Ok(()) => return,
                    Err(Error::UserChanged { .. }) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
        }
    });
    savers.collect::<JoinSet<()>>().join_all().await;
    let mut saved = find(&registry, "alice").await.unwrap().record.api_keys;
    saved.sort_by_key(|key| key.id);
    assert_eq!(saved, (0..SAVERS).map(key).collect::<Vec<_>>());
}
