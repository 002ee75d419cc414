//! What every store of sessions must do.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::AtomicU64, atomic::Ordering},
    time::Duration,
};

use super::{SessionStore, StoreKey};

/// A life that no test sees the end of.
const LIFE: Duration = Duration::from_secs(600);
/// A life that is over soon, and long enough to be found before.
const SHORT: Duration = Duration::from_millis(300);

/// Keys that no test before has used, nor another one at the same time.
fn fresh() -> StoreKey {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut digest: [u8; 32] = rand::random();
    digest[..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    StoreKey::new(digest)
}

/// Runs all of it.
pub(super) async fn suite(store: Arc<dyn SessionStore>) {
    what_is_created_is_found_until_it_is_removed(&*store).await;
    keys_are_told_apart(&*store).await;
    one_of_many_removes(&store).await;
    what_has_lived_is_gone(&*store).await;
}

async fn what_is_created_is_found_until_it_is_removed(store: &dyn SessionStore) {
    let key = fresh();
    assert_eq!(store.find(&key).await.unwrap(), None);
    assert_eq!(store.remove(&key).await.unwrap(), None);
    let value: Vec<u8> = (0..=255).cycle().take(3000).collect();
    store.create(&key, &value, LIFE).await.unwrap();
    for _ in 0..2 {
        assert_eq!(store.find(&key).await.unwrap().as_deref(), Some(&value[..]));
    }
    assert_eq!(store.remove(&key).await.unwrap(), Some(value));
    assert_eq!(store.find(&key).await.unwrap(), None);
    assert_eq!(store.remove(&key).await.unwrap(), None);
}

async fn keys_are_told_apart(store: &dyn SessionStore) {
    let (one, other) = (fresh(), fresh());
    store.create(&one, b"one", LIFE).await.unwrap();
    store.create(&other, b"other", LIFE).await.unwrap();
    assert_eq!(store.remove(&one).await.unwrap().as_deref(), Some(&b"one"[..]));
    assert_eq!(store.find(&other).await.unwrap().as_deref(), Some(&b"other"[..]));
}

async fn one_of_many_removes(store: &Arc<dyn SessionStore>) {
    for _ in 0..10 {
        let key = fresh();
        store.create(&key, b"once", LIFE).await.unwrap();
        let attempts = (0..8).map(|_| async { store.remove(&key).await.unwrap() });
        let told: Vec<_> = futures::future::join_all(attempts).await.into_iter().flatten().collect();
        assert_eq!(told, [b"once".to_vec()]);
    }
}

async fn what_has_lived_is_gone(store: &dyn SessionStore) {
    let (short, long) = (fresh(), fresh());
    let begun = std::time::Instant::now();
    store.create(&short, b"short", SHORT).await.unwrap();
    store.create(&long, b"long", LIFE).await.unwrap();
    let mut seen = BTreeSet::new();
    while store.find(&short).await.unwrap().is_some() {
        seen.insert(begun.elapsed() < SHORT);
        assert!(begun.elapsed() < LIFE, "it outlives its life");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(seen.contains(&true) || begun.elapsed() > SHORT, "it is found while it lives");
    assert_eq!(store.remove(&short).await.unwrap(), None);
    assert!(store.find(&long).await.unwrap().is_some());
}
