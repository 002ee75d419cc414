//! The same random operations on tables and in memory have the same answers.

use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use zot_dynamodb::DynamoMetadata;
use zot_oci::{Digest, RepositoryName};
use zot_storage::metadata::{Expect, Key, MemoryMetadata, Metadata, Scan, Transaction};

use crate::{one_table, open, server};

/// A condition, before anybody knows what versions there are.
#[derive(Debug, Clone, Copy)]
enum Condition {
    Anything,
    Absent,
    Present,
    Current,
    Stale,
}

#[derive(Debug, Clone)]
enum Step {
    /// Keys, what they must be, and what is written; nothing stands for a removal.
    Commit(Vec<(Key, Condition, Option<u8>)>),
    Scan(Scan, usize),
    GetMany(Vec<Key>),
}

fn names() -> impl Strategy<Value = RepositoryName> {
    prop_oneof![Just("a"), Just("a/b"), Just("a-b"), Just("b")].prop_map(|name| name.parse().unwrap())
}

fn digests() -> impl Strategy<Value = Digest> {
    (0..6u8).prop_map(|seed| Digest::sha256(&[seed]))
}

fn keys() -> impl Strategy<Value = Key> {
    prop_oneof![
        names().prop_map(Key::Repository),
        (names(), "[aB.-]{1,2}".prop_filter_map("a tag", |text| text.parse().ok())).prop_map(|(name, tag)| Key::Tag(name, tag)),
        (names(), digests(), digests()).prop_map(|(name, subject, digest)| Key::Referrer(name, subject, digest)),
        (names(), digests()).prop_map(|(name, digest)| Key::Link(name, digest)),
        (names(), digests()).prop_map(|(name, digest)| Key::Unprojected(name, digest)),
        digests().prop_map(Key::Blob),
        "[aä#]{1,2}".prop_map(|text| Key::User(text.parse().unwrap())),
    ]
}

fn scans() -> impl Strategy<Value = Scan> {
    prop_oneof![
        proptest::option::of("[ab/-]{0,2}").prop_map(Scan::Repositories),
        (names(), proptest::option::of("[aB.-]{0,2}")).prop_map(|(name, after)| Scan::Tags(name, after)),
        (names(), digests(), proptest::option::of(digests())).prop_map(|(name, subject, after)| Scan::Referrers(name, subject, after)),
        (names(), proptest::option::of(digests())).prop_map(|(name, after)| Scan::Links(name, after)),
        proptest::option::of((names(), digests())).prop_map(Scan::Unprojected),
        names().prop_map(Scan::UnprojectedOf),
        proptest::option::of("[aä#]{0,2}").prop_map(Scan::Users),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    use Condition::{Absent, Anything, Current, Present, Stale};
    let condition = proptest::sample::select(vec![Anything, Anything, Absent, Present, Current, Stale]);
    let commit = vec((keys(), condition, proptest::option::weighted(0.8, any::<u8>())), 1..4);
    let step = prop_oneof![
        4 => commit.prop_map(Step::Commit),
        1 => (scans(), 1..5usize).prop_map(|(scan, limit)| Step::Scan(scan, limit)),
        1 => vec(keys(), 1..5).prop_map(Step::GetMany),
    ];
    vec(step, 1..40)
}

/// The transaction of a step in a store, whose versions are its own.
async fn transaction(store: &dyn Metadata, changes: &[(Key, Condition, Option<u8>)]) -> Transaction {
    let mut transaction = Transaction::new();
    for (key, condition, write) in changes {
        let version = store.get(key).await.unwrap().map(|row| row.version);
        let expect = match condition {
            Condition::Anything => Expect::Anything,
            Condition::Absent => Expect::Absent,
            Condition::Present => Expect::Present,
            Condition::Current => version.map_or(Expect::Absent, Expect::Version),
            Condition::Stale => Expect::Version(u64::MAX),
        };
        match write {
            Some(byte) => transaction.put(key.clone(), expect, vec![*byte; usize::from(*byte % 3)]),
            None => transaction.delete(key.clone(), expect),
        }
    }
    transaction
}

/// What a store answers to a step, without its versions.
async fn answer(store: &dyn Metadata, step: &Step) -> String {
    match step {
        Step::Commit(changes) => format!("{:?}", store.commit(transaction(store, changes).await).await.unwrap()),
        Step::Scan(scan, limit) => {
            let rows = store.scan(scan, *limit).await.unwrap();
            format!("{:?}", rows.into_iter().map(|(key, row)| (key, row.value)).collect::<Vec<_>>())
        }
        Step::GetMany(keys) => {
            let rows = store.get_many(keys).await.unwrap();
            format!("{:?}", rows.into_iter().map(|row| row.map(|row| row.value)).collect::<Vec<_>>())
        }
    }
}

async fn agree(tables: &DynamoMetadata, steps: Vec<Step>) -> Result<(), TestCaseError> {
    tables.erase().await.unwrap();
    // Erasing leaves users alone.
    let mut rest = Transaction::new();
    for (key, _) in tables.scan(&Scan::Users(None), 100).await.unwrap() {
        rest.delete(key, Expect::Anything);
    }
    if !rest.is_empty() {
        tables.commit(rest).await.unwrap();
    }
    let memory = MemoryMetadata::default();
    for step in &steps {
        prop_assert_eq!(answer(tables, step).await, answer(&memory, step).await, "{:?}", step);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_answer_as_memory_does() {
    let Some(server) = server("model::tables_answer_as_memory_does").await else { return };
    let tables = open(&one_table(&server.endpoint())).await;
    let handle = tokio::runtime::Handle::current();
    let compared = tokio::task::spawn_blocking(move || {
        let mut runner = TestRunner::new(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() });
        runner.run(&steps(), |steps| handle.block_on(agree(&tables, steps)))
    });
    compared.await.unwrap().unwrap();
}
