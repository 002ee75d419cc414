//! Keys are made, used, narrowed and revoked, over a registry in memory.

use std::time::Duration;

use zot_contract::{Context, Error, FoundUser, MemoryRegistry, Revision, Users};

use super::*;
use crate::authz::Action;

fn keys(registry: &Arc<MemoryRegistry>) -> ApiKeys {
    ApiKeys::new(Arc::new(Accounts::new(registry.clone())), &Tasks::new())
}

fn name(text: &str) -> UserName {
    text.parse().unwrap()
}

async fn made(keys: &ApiKeys, user: &str, wish: KeyWish) -> (String, Secret) {
    let (key, secret) = keys.make(&name(user), wish, "suite/1").await.unwrap();
    (key.id.to_string(), secret)
}

async fn proof(keys: &ApiKeys, user: &str, secret: &Secret) -> Option<Proof> {
    match keys.check(user, secret).await {
        Verdict::Proved(proof) => Some(proof),
        Verdict::Wrong => None,
        Verdict::Unavailable { source, .. } => panic!("{source}"),
    }
}

async fn stored(registry: &MemoryRegistry, user: &str) -> UserRecord {
    registry.find_user(&Context::internal(), &name(user)).await.unwrap().unwrap().record
}

#[tokio::test]
async fn a_key_is_its_owners_alone() {
    let registry = Arc::new(MemoryRegistry::default());
    let keys = keys(&registry);
    let (_, secret) = made(&keys, "alice", KeyWish::default()).await;
    let (_, of_bob) = made(&keys, "bob", KeyWish::default()).await;
    let proof_of = proof(&keys, "alice", &secret).await.unwrap();
    assert_eq!((proof_of.user.as_deref(), proof_of.method), (Some("alice"), Method::ApiKey));
    assert!(matches!(proof_of.rights, Rights::OfUser));
    for (user, secret) in [("bob", &secret), ("alice", &of_bob), ("carol", &secret), ("", &secret), ("Alice", &secret)] {
        assert!(proof(&keys, user, secret).await.is_none(), "{user}");
    }
    let nowhere = format!("{registry:?}{:?}", stored(&registry, "alice").await);
    assert!(!nowhere.contains(secret.reveal()));
}

#[tokio::test]
async fn other_passwords_ask_nobody() {
    let keys = ApiKeys::new(Arc::new(Accounts::new(Arc::new(MemoryRegistry::default()))), &Tasks::new());
    for password in ["", "secret", "zak_", "zak_0123"] {
        assert!(proof(&keys, "alice", &Secret::new(password)).await.is_none());
    }
}

#[tokio::test]
async fn a_key_ends_when_it_expires() {
    let registry = Arc::new(MemoryRegistry::default());
    let keys = keys(&registry);
    let (_, good) = made(&keys, "alice", KeyWish { expires_unix_ms: Some(now_unix_ms() + 3_600_000), ..KeyWish::default() }).await;
    let (_, over) = made(&keys, "alice", KeyWish { expires_unix_ms: Some(now_unix_ms()), ..KeyWish::default() }).await;
    assert!(proof(&keys, "alice", &good).await.is_some());
    assert!(proof(&keys, "alice", &over).await.is_none());
}

#[tokio::test]
async fn a_key_is_narrowed_to_its_scopes_and_has_the_groups_of_the_last_login() {
    let registry = Arc::new(MemoryRegistry::default());
    let keys = keys(&registry);
    keys.accounts.remember_groups("alice", vec!["devs".into()]).await;
    let (_, secret) = made(&keys, "alice", KeyWish { scopes: vec!["team/**:read".to_owned()], ..KeyWish::default() }).await;
    let proof = proof(&keys, "alice", &secret).await.unwrap();
    assert_eq!(proof.groups, [Arc::<str>::from("devs")]);
    let Rights::Narrowed(scopes) = proof.rights else { panic!("{:?}", proof.rights) };
    assert!(scopes.iter().any(|scope| scope.grants(Action::Read, "team/a")));
    assert!(!scopes.iter().any(|scope| scope.grants(Action::Create, "team/a") || scope.grants(Action::Read, "other")));
}

#[tokio::test]
async fn scopes_of_a_later_release_grant_nothing() {
    let registry = Arc::new(MemoryRegistry::default());
    let keys = keys(&registry);
    let (_, secret) = made(&keys, "alice", KeyWish { scopes: vec!["team/**:admire".to_owned()], ..KeyWish::default() }).await;
    let proof = proof(&keys, "alice", &secret).await.unwrap();
    assert!(matches!(&proof.rights, Rights::Narrowed(scopes) if scopes.is_empty()), "{:?}", proof.rights);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_made_elsewhere_is_good_at_once() {
    let registry = Arc::new(MemoryRegistry::default());
    let (here, there) = (keys(&registry), keys(&registry));
    for _ in 0..3 {
        let (_, secret) = made(&here, "alice", KeyWish::default()).await;
        assert!(proof(&there, "alice", &secret).await.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_revoked_key_is_good_for_nothing_here_at_once_and_elsewhere_after_a_moment() {
    let registry = Arc::new(MemoryRegistry::default());
    let (here, there) = (keys(&registry), keys(&registry));
    let (id, secret) = made(&here, "alice", KeyWish::default()).await;
    assert!(proof(&here, "alice", &secret).await.is_some() && proof(&there, "alice", &secret).await.is_some());
    assert!(!here.revoke(&name("bob"), &id).await.unwrap());
    assert!(here.revoke(&name("alice"), &id).await.unwrap());
    assert!(!here.revoke(&name("alice"), &id).await.unwrap());
    assert!(proof(&here, "alice", &secret).await.is_none());
    tokio::time::advance(Duration::from_secs(5)).await;
    assert!(proof(&there, "alice", &secret).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_last_use_is_saved_later_and_once() {
    let registry = Arc::new(MemoryRegistry::default());
    let keys = keys(&registry);
    let (_, secret) = made(&keys, "alice", KeyWish::default()).await;
    let before = stored(&registry, "alice").await;
    for _ in 0..100 {
        proof(&keys, "alice", &secret).await.unwrap();
    }
    assert_eq!(stored(&registry, "alice").await, before);
    keys.uses.save(&keys.accounts).await;
    let saved = stored(&registry, "alice").await;
    assert!(saved.api_keys[0].last_used_unix_ms.is_some());
    proof(&keys, "alice", &secret).await.unwrap();
    keys.uses.save(&keys.accounts).await;
    assert_eq!(stored(&registry, "alice").await, saved);
}

#[derive(Debug)]
struct OnlyAlice;

impl KnownUsers for OnlyAlice {
    fn is_known(&self, user: &str) -> bool {
        user == "alice"
    }
}

#[tokio::test]
async fn keys_end_with_their_user() {
    let registry = Arc::new(MemoryRegistry::default());
    let keys = keys(&registry).of_known_users(Arc::new(OnlyAlice));
    for (user, is_known) in [("alice", true), ("bob", false)] {
        let (_, secret) = made(&keys, user, KeyWish::default()).await;
        assert_eq!(proof(&keys, user, &secret).await.is_some(), is_known);
    }
}

#[tokio::test]
async fn a_record_has_room_for_so_much() {
    let registry = Arc::new(MemoryRegistry::default());
    let keys = keys(&registry);
    let wish = || KeyWish { label: "x".repeat(8 << 10), ..KeyWish::default() };
    let refused = loop {
        if let Err(error) = keys.make(&name("alice"), wish(), "").await {
            break error;
        }
    };
    assert!(matches!(refused, Error::UserTooLarge { .. }), "{refused:?}");
    assert!(stored(&registry, "alice").await.api_keys.len() > 20);
}

#[tokio::test]
async fn a_change_that_is_found_made_counts_as_made() {
    let registry = Arc::new(MemoryRegistry::default());
    let keys = keys(&registry);
    let (id, _) = made(&keys, "alice", KeyWish::default()).await;
    let found: FoundUser = registry.find_user(&Context::internal(), &name("alice")).await.unwrap().unwrap();
    assert_eq!(found.revision, Revision(1));
    assert!(keys.revoke(&name("alice"), &id).await.unwrap());
    assert_eq!(keys.list(&name("alice")).await.unwrap().len(), 0);
}
