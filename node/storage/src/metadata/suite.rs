//! What every metadata store must do; run by each.
#![expect(clippy::unwrap_used, reason = "this is test code, which other crates' tests can only reach as a library")]

use zot_oci::{Digest, RepositoryName};

use super::{Expect, Key, Kind, Metadata, Outcome, Scan, Transaction};

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

fn tag(repository: &str, tag: &str) -> Key {
    Key::Tag(name(repository), tag.parse().unwrap())
}

async fn put(store: &dyn Metadata, key: Key, expect: Expect, value: &'static str) -> Outcome {
    let mut transaction = Transaction::new();
    transaction.put(key, expect, value);
    store.commit(transaction).await.unwrap()
}

async fn version(store: &dyn Metadata, key: &Key) -> Option<u64> {
    store.get(key).await.unwrap().map(|row| row.version)
}

/// Runs every sentence of the contract against an empty store.
pub async fn metadata_suite(store: &dyn Metadata) {
    conditions_decide(store).await;
    the_largest_transaction_fits(store).await;
    a_transaction_is_all_or_nothing(store).await;
    versions_are_never_reused(store).await;
    scans_page_in_order(store).await;
    many_rows_come_in_the_order_of_their_keys(store).await;
    racing_writers_of_one_version_have_one_winner(store).await;
    a_walk_shows_every_row_of_its_kind(store).await;
}

async fn conditions_decide(store: &dyn Metadata) {
    let key = tag("conditions", "a");
    assert_eq!(put(store, key.clone(), Expect::Present, "0").await, Outcome::Conflict);
    assert_eq!(put(store, key.clone(), Expect::Absent, "1").await, Outcome::Committed);
    assert_eq!(put(store, key.clone(), Expect::Absent, "2").await, Outcome::Conflict);
    let first = version(store, &key).await.unwrap();
    assert_eq!(put(store, key.clone(), Expect::Version(first), "3").await, Outcome::Committed);
    assert_eq!(put(store, key.clone(), Expect::Version(first), "4").await, Outcome::Conflict);
    assert_eq!(put(store, key.clone(), Expect::Anything, "5").await, Outcome::Committed);
    assert_eq!(store.get(&key).await.unwrap().unwrap().value, "5");
}

async fn the_largest_transaction_fits(store: &dyn Metadata) {
    assert!(store.changes_max() >= 8);
    let mut transaction = Transaction::new();
    for number in 0..store.changes_max().min(1000) {
        transaction.put(tag("largest", &format!("t{number}")), Expect::Absent, "x");
    }
    assert_eq!(store.commit(transaction).await.unwrap(), Outcome::Committed);
}

async fn a_transaction_is_all_or_nothing(store: &dyn Metadata) {
    let mut transaction = Transaction::new();
    transaction.put(tag("whole", "a"), Expect::Absent, "1");
    transaction.put(tag("whole", "b"), Expect::Present, "1");
    assert_eq!(store.commit(transaction).await.unwrap(), Outcome::Conflict);
    assert_eq!(store.get(&tag("whole", "a")).await.unwrap(), None);
}

async fn versions_are_never_reused(store: &dyn Metadata) {
    let key = tag("versions", "a");
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..5 {
        put(store, key.clone(), Expect::Anything, "x").await;
        assert!(seen.insert(version(store, &key).await.unwrap()));
        let mut transaction = Transaction::new();
        transaction.delete(key.clone(), Expect::Present);
        assert_eq!(store.commit(transaction).await.unwrap(), Outcome::Committed);
        assert_eq!(version(store, &key).await, None);
    }
}

async fn scans_page_in_order(store: &dyn Metadata) {
    for text in ["b", "a", "c"] {
        put(store, tag("scans", text), Expect::Anything, "x").await;
        put(store, tag("scans/other", text), Expect::Anything, "x").await;
    }
    let keys = async |after: Option<&str>, limit| {
        let scan = Scan::Tags(name("scans"), after.map(str::to_owned));
        let rows = store.scan(&scan, limit).await.unwrap();
        let keys = store.keys(&scan, limit).await.unwrap();
        assert!(rows.iter().map(|(key, _)| key).eq(&keys), "{rows:?} are other rows than {keys:?}");
        keys
    };
    assert_eq!(keys(None, 10).await, ["a", "b", "c"].map(|text| tag("scans", text)));
    assert_eq!(keys(None, 2).await, ["a", "b"].map(|text| tag("scans", text)));
    assert_eq!(keys(Some("b"), 10).await, [tag("scans", "c")]);
    assert_eq!(keys(Some("aa"), 1).await, [tag("scans", "b")]);
    assert_eq!(keys(Some("c"), 1).await, []);
}

async fn many_rows_come_in_the_order_of_their_keys(store: &dyn Metadata) {
    let (here, gone) = (Key::Blob(Digest::sha256(b"here")), Key::Blob(Digest::sha256(b"gone")));
    put(store, here.clone(), Expect::Anything, "x").await;
    let rows = store.get_many(&[gone.clone(), here, gone]).await.unwrap();
    assert_eq!(rows.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false]);
}

async fn racing_writers_of_one_version_have_one_winner(store: &dyn Metadata) {
    let key = tag("race", "a");
    put(store, key.clone(), Expect::Anything, "0").await;
    let first = version(store, &key).await.unwrap();
    let racers = (0..32).map(|_| put(store, key.clone(), Expect::Version(first), "1"));
    let outcomes = futures::future::join_all(racers).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Committed).count(), 1);
}

async fn a_walk_shows_every_row_of_its_kind(store: &dyn Metadata) {
    let digests: Vec<Digest> = (0..1100_u32).map(|number| Digest::sha256(&number.to_le_bytes())).collect();
    let key = |kind, digest: &Digest| match kind {
        Kind::Blobs => Key::Blob(*digest),
        Kind::Links => Key::Link(name(&format!("walk/{}", &digest.hex()[..1])), *digest),
        Kind::Manifests => Key::Manifest(name(&format!("walk/{}", &digest.hex()[..1])), *digest),
    };
    for kind in Kind::ALL {
        for chunk in digests.chunks(store.changes_max().min(100)) {
            let mut transaction = Transaction::new();
            chunk.iter().for_each(|digest| transaction.put(key(kind, digest), Expect::Anything, "x"));
            assert_eq!(store.commit(transaction).await.unwrap(), Outcome::Committed);
        }
    }
    assert_eq!(put(store, Key::Condemned("a/place".to_owned()), Expect::Absent, "x").await, Outcome::Committed);
    for kind in Kind::ALL {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let (rows, next) = store.walk(kind, after.as_ref()).await.unwrap();
            assert!(rows.iter().all(|(found, _)| kind.has(found)));
            found.extend(rows.into_iter().map(|(key, _)| key));
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert!(digests.iter().all(|digest| found.contains(&key(kind, digest))));
        assert!(found.len() < 1200, "{} rows, each shown once", found.len());
    }
}
