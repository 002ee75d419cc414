//! Records are seen, changed and noted, over a registry in memory.

use zot_contract::{FoundUser, MemoryRegistry, Users};

use super::*;

fn user(name: &str) -> UserName {
    name.parse().unwrap()
}

async fn stored(registry: &MemoryRegistry, name: &str) -> FoundUser {
    registry.find_user(&Context::internal(), &user(name)).await.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_others_change_is_seen_after_a_moment_and_what_is_changed_here_at_once() {
    let registry = Arc::new(MemoryRegistry::default());
    let (here, there) = (Accounts::new(registry.clone()), Accounts::new(registry.clone()));
    assert_eq!(here.find(&user("alice")).await.unwrap(), None);
    there
        .change(&user("alice"), |record| {
            record.groups.push("a".to_owned());
            Some(())
        })
        .await
        .unwrap();
    assert_eq!(here.find(&user("alice")).await.unwrap(), None);
    tokio::time::advance(SEEN_MAX).await;
    assert_eq!(here.find(&user("alice")).await.unwrap().unwrap().groups, ["a"]);
    here.change(&user("alice"), |record| {
        record.groups.push("b".to_owned());
        Some(())
    })
    .await
    .unwrap();
    assert_eq!(here.find(&user("alice")).await.unwrap().unwrap().groups, ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn concurrent_changes_are_all_made() {
    let registry = Arc::new(MemoryRegistry::default());
    let accounts = Arc::new(Accounts::new(registry.clone()));
    let changes = (0..16).map(|number: u32| {
        let accounts = Accounts::new(accounts.registry.clone());
        async move {
            let change = |record: &mut UserRecord| {
                record.groups.push(number.to_string());
                Some(())
            };
            accounts.change(&user("alice"), change).await.unwrap();
        }
    });
    futures::future::join_all(changes).await;
    assert_eq!(stored(&registry, "alice").await.record.groups.len(), 16);
}

#[tokio::test]
async fn groups_are_saved_only_when_they_change() {
    let registry = Arc::new(MemoryRegistry::default());
    let accounts = Accounts::new(registry.clone());
    accounts.remember_groups("alice", Vec::new()).await;
    assert_eq!(registry.find_user(&Context::internal(), &user("alice")).await.unwrap(), None);
    accounts.remember_groups("alice", vec!["b".into(), "a".into()]).await;
    let first = stored(&registry, "alice").await;
    assert_eq!(first.record.groups, ["a", "b"]);
    accounts.remember_groups("alice", vec!["a".into(), "b".into()]).await;
    assert_eq!(stored(&registry, "alice").await, first);
    accounts.remember_groups("alice", vec!["a".into()]).await;
    assert_eq!(stored(&registry, "alice").await.record.groups, ["a"]);
}

#[tokio::test]
async fn as_many_users_as_there_may_be_are_remembered() {
    let accounts = Accounts::new(Arc::new(MemoryRegistry::default()));
    for number in 0..=USERS_SEEN_MAX {
        accounts.find(&user(&format!("user-{number}"))).await.unwrap();
    }
    assert!(accounts.seen.lock().len() <= USERS_SEEN_MAX);
}
