//! What holds when many clients work at once.

use std::{collections::BTreeSet, future::Future, sync::Arc};

use tokio::task::JoinSet;
use zot_oci::Digest;

use super::{
    Client,
    content::{Document, blob_of},
    paging::walk,
};
use crate::{Error, ManifestPush, Registry, TagRule};

/// How many clients work at once.
const CLIENTS: u64 = 64;
/// How often a race between two is run.
const ROUNDS: u64 = 24;

/// Runs `work` once for every number below `count`, at once.
async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(count: u64, work: impl Fn(u64) -> F) -> Vec<T> {
    (0..count).map(work).collect::<JoinSet<T>>().join_all().await
}

/// A manifest that needs no blobs, another for each number.
fn numbered(number: u64, tags: &[&str]) -> ManifestPush {
    Document::index(&[]).annotation("number", &number.to_string()).push(tags)
}

pub(super) async fn no_tag_of_one_repository_is_lost(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a/b");
    let pushed: BTreeSet<String> = at_once(CLIENTS, |number| {
        let client = client.clone();
        async move {
            let tag = format!("tag-{number}");
            client.push_image(number, &[&tag]).await;
            tag
        }
    })
    .await
    .into_iter()
    .collect();
    assert!(client.tags().await.into_iter().eq(pushed));
    for number in 0..CLIENTS {
        let stored = client.get(format!("tag-{number}")).await.unwrap();
        assert_eq!(stored.info.digest, client.image(number).await.descriptor().digest);
    }
}

pub(super) async fn one_tag_ends_at_one_of_the_pushed(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let pushed = at_once(CLIENTS, |number| {
        let client = client.clone();
        async move {
            let push = numbered(number, &["latest"]);
            client.put(push.clone()).await.unwrap();
            push
        }
    })
    .await;
    let last = client.get("latest").await.unwrap();
    assert!(pushed.iter().any(|push| push.bytes == last.bytes && push.digest == last.info.digest));
    assert_eq!(client.tags().await, ["latest"]);
    for push in pushed {
        assert_eq!(client.get(push.digest).await.unwrap().bytes, push.bytes);
    }
}

pub(super) async fn of_many_who_may_only_make_a_tag_one_does(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let answers = at_once(CLIENTS, |number| {
        let client = client.clone();
        async move {
            let mut push = numbered(number, &["latest"]);
            push.tags.iter_mut().for_each(|pushed| pushed.rule = TagRule::New);
            let digest = push.digest;
            (digest, client.put(push).await)
        }
    })
    .await;
    let made: Vec<Digest> = answers.iter().filter(|(_, answer)| answer.is_ok()).map(|(digest, _)| *digest).collect();
    assert_eq!(made.len(), 1, "{answers:?}");
    for (_, refused) in answers.iter().filter(|(_, answer)| answer.is_err()) {
        assert!(matches!(refused, Err(Error::TagExists { .. })), "{refused:?}");
    }
    assert_eq!(client.resolve("latest").await, Some(made[0]));
}

pub(super) async fn a_tag_never_goes_back(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let pushes: Vec<ManifestPush> = (0..ROUNDS).map(|number| numbered(number, &["latest"])).collect();
    let order: Vec<Digest> = pushes.iter().map(|push| push.digest).collect();
    client.put(pushes[0].clone()).await.unwrap();
    let mut readers: JoinSet<()> = (0..4).map(|_| only_forwards(client.clone(), order.clone())).collect();
    for push in &pushes {
        client.put(push.clone()).await.unwrap();
        // Visible to every call that starts after the push returned.
        assert_eq!(client.resolve("latest").await, Some(push.digest));
    }
    while let Some(reader) = readers.join_next().await {
        reader.unwrap();
    }
}

/// Reads the tag until it is at the last of `order`.
async fn only_forwards(client: Client, order: Vec<Digest>) {
    let mut seen = 0;
    while seen + 1 < order.len() {
        let found = client.resolve("latest").await.unwrap();
        let position = order.iter().position(|digest| *digest == found).unwrap();
        assert!(position >= seen, "the tag went back from push {seen} to {position}");
        seen = position;
        tokio::task::yield_now().await;
    }
}

pub(super) async fn one_blob_can_be_pushed_by_many(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let bytes = blob_of(1, 50_000);
    at_once(CLIENTS, |_| {
        let (client, bytes) = (client.clone(), bytes.clone());
        async move {
            let digest = client.push_blob(bytes.clone()).await;
            assert!(client.read(&digest).await.unwrap() == bytes);
        }
    })
    .await;
}

pub(super) async fn one_blob_can_go_to_many_repositories(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "source");
    let digest = client.push_blob("everywhere").await;
    at_once(CLIENTS, |number| {
        let client = client.repository(&format!("target/{number}"));
        async move {
            // The source may be out of reach of some.
            if number % 2 != 0 || !client.mount(&digest, "source").await.unwrap() {
                client.push_blob("everywhere").await;
            }
            assert_eq!(client.read(&digest).await.unwrap(), "everywhere");
        }
    })
    .await;
}

pub(super) async fn one_manifest_can_be_pushed_by_many(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let push = client.image(1).await.push(&["v1"]);
    at_once(CLIENTS, |_| {
        let (client, push) = (client.clone(), push.clone());
        async move {
            client.put(push.clone()).await.unwrap();
            assert_eq!(client.get("v1").await.unwrap().bytes, push.bytes);
        }
    })
    .await;
    assert_eq!(client.tags().await, ["v1"]);
}

pub(super) async fn no_tag_dangles_when_its_manifest_is_deleted(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    for round in 0..ROUNDS {
        let push = numbered(round, &["v1", "v2"]);
        client.put(push.clone()).await.unwrap();
        let (put, deleted) = futures::join!(
            spawned(&client, |client| async move { client.put(numbered(round, &["v1", "v2"])).await }),
            spawned(&client, move |client| async move { client.delete(push.digest).await }),
        );
        put.unwrap();
        deleted.unwrap();
        let listed = client.tags().await;
        assert!(listed.is_empty() || listed == ["v1", "v2"], "half a push is left: {listed:?}");
        for tag in listed {
            assert_eq!(client.get(tag).await.unwrap().bytes, numbered(round, &[]).bytes);
        }
    }
}

pub(super) async fn no_manifest_lacks_a_blob_that_is_deleted(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    for round in 0..ROUNDS {
        let push = client.image(round).await.push(&["v1"]);
        let config = Digest::sha256(&blob_of(round, 100));
        let (put, deleted) = futures::join!(
            spawned(&client, |client| async move { client.put(push).await }),
            spawned(&client, move |client| async move { client.delete_blob(&config).await }),
        );
        match (put, deleted) {
            (Ok(_), Err(Error::BlobReferenced { .. })) => assert!(client.has_blob(&config).await),
            (Err(Error::ManifestBlobUnknown { .. }), Ok(())) => assert!(!client.has_blob(&config).await),
            other => panic!("expected one of the two to be refused, found {other:?}"),
        }
    }
}

/// Runs `work` as a task of its own, so that two of them can run in parallel.
async fn spawned<T: Send + 'static, F: Future<Output = T> + Send + 'static>(client: &Client, work: impl FnOnce(Client) -> F) -> T {
    tokio::spawn(work(client.clone())).await.unwrap()
}

pub(super) async fn what_stays_is_on_a_page(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let staying: Vec<String> = (10..50).map(|number| format!("stays-{number}")).collect();
    let names: Vec<&str> = staying.iter().map(String::as_str).collect();
    client.put(numbered(0, &names)).await.unwrap();
    let mut others: JoinSet<()> = (1..5).map(|number| come_and_go(client.clone(), number)).collect();
    for _ in 0..ROUNDS {
        let listed = walk(7, async |page| client.tags_page(&page).await).await;
        assert!(staying.iter().all(|tag| listed.contains(tag)), "a tag that stayed is missing: {listed:?}");
    }
    others.shutdown().await;
}

/// Pushes and deletes tags that sort in between those that stay, without end.
async fn come_and_go(client: Client, number: u64) {
    for round in 10.. {
        let tag = format!("stays-{}-{number}", round % 40 + 10);
        client.put(numbered(number, &[&tag])).await.unwrap();
        client.delete(&tag).await.unwrap();
        // A registry in memory never waits, and a task that never waits cannot be stopped.
        tokio::task::yield_now().await;
    }
}
