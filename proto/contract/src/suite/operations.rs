//! What holds for changes that may be asked for again, of whoever keeps the same repositories.

use std::sync::Arc;

use zot_oci::Digest;

use super::{Client, body, content::blob_of};
use crate::{Chunk, Error, Operation, OperationId, Registry, TagRule};

/// The same client, whose calls are all attempts at one change: the first, and another one.
fn attempts(client: &Client) -> [Client; 2] {
    let operation = Operation { id: OperationId::new(), again: false };
    let first = Client { cx: client.cx.clone().attempting(operation), ..client.clone() };
    let second = Client { cx: first.cx.clone().again(), ..client.clone() };
    [first, second]
}

pub(super) async fn a_push_that_was_made_is_not_made_again(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let (first, second) = (client.image(1).await.push(&["v1"]), client.image(2).await.push(&["v1"]));
    let [one, other] = attempts(&client);
    one.put(first.clone()).await.unwrap();
    client.put(second.clone()).await.unwrap();
    for late in [&other, &one] {
        late.put(first.clone()).await.unwrap();
        assert_eq!(client.resolve("v1").await, Some(second.digest));
    }
    client.delete("v1").await.unwrap();
    client.delete(first.digest).await.unwrap();
    for late in [&other, &one] {
        late.put(first.clone()).await.unwrap();
        assert_eq!((client.tags().await, client.get(first.digest).await.is_err()), (Vec::new(), true));
    }
    // Another push of the same is another change.
    client.put(first.clone()).await.unwrap();
    assert_eq!(client.resolve("v1").await, Some(first.digest));
}

pub(super) async fn a_tag_that_was_made_by_an_attempt_is_none_that_was_there(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let mut push = client.image(1).await.push(&["v1"]);
    push.tags.iter_mut().for_each(|pushed| pushed.rule = TagRule::New);
    let [one, other] = attempts(&client);
    one.put(push.clone()).await.unwrap();
    other.put(push.clone()).await.unwrap();
    assert_refused!(client.put(push).await, Error::TagExists { .. });
}

pub(super) async fn a_deletion_that_was_made_is_not_made_again(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let push = client.push_image(1, &["v1"]).await;
    for reference in ["v1".to_owned(), push.digest.to_string()] {
        let [one, other] = attempts(&client);
        one.delete(&reference).await.unwrap();
        other.delete(&reference).await.unwrap();
        client.put(push.clone()).await.unwrap();
        for late in [&other, &one] {
            late.delete(&reference).await.unwrap();
            assert_eq!(client.resolve("v1").await, Some(push.digest), "{reference} was deleted once");
        }
    }
    let [one, other] = attempts(&client);
    let blob = client.push_blob(blob_of(3, 100)).await;
    one.delete_blob(&blob).await.unwrap();
    client.push_blob(blob_of(3, 100)).await;
    other.delete_blob(&blob).await.unwrap();
    assert!(client.has_blob(&blob).await);
}

pub(super) async fn a_change_that_was_refused_again_is_not_made_later(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let there = client.push_image(1, &["v1"]).await;
    let mut push = client.image(2).await.push(&["v1"]);
    push.tags.iter_mut().for_each(|pushed| pushed.rule = TagRule::New);
    let [one, other] = attempts(&client);
    assert_refused!(other.put(push.clone()).await, Error::TagExists { .. });
    client.delete("v1").await.unwrap();
    for late in [&other, &one] {
        assert_refused!(late.put(push.clone()).await, Error::Unavailable { .. });
        assert!(client.tags().await.is_empty());
    }
    client.put(there).await.unwrap();
    // Of what nobody was asked for before, nothing is to be expected any more.
    let [only, _] = attempts(&client);
    assert_refused!(only.put(push.clone()).await, Error::TagExists { .. });
    client.delete("v1").await.unwrap();
    client.put(push).await.unwrap();
}

pub(super) async fn a_chunk_that_is_sent_again_is_part_of_the_upload_once(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let bytes = blob_of(4, 100_000);
    let upload = client.open().await;
    let [one, other] = attempts(&client);
    // Of the first nothing was heard, although it had taken in a part, or all.
    assert_refused!(one.append(upload, body::broken_after(bytes.slice(..30_000))).await, Error::BodyBroken(_));
    assert_eq!(other.append(upload, body::in_pieces(vec![bytes.slice(..20_000), bytes.slice(20_000..50_000)])).await.unwrap(), 50_000);
    assert_eq!(other.append(upload, Chunk::of(bytes.slice(..50_000)).at(0)).await.unwrap(), 50_000);
    // What is no other attempt at that goes to the end.
    let [one, other] = attempts(&client);
    assert_refused!(other.append(upload, Chunk::of(bytes.slice(..50_000)).at(0)).await, Error::UploadOffset { expected: 50_000, .. });
    assert_eq!(other.append(upload, Chunk::of(bytes.slice(50_000..60_000)).at(50_000)).await.unwrap(), 60_000);
    // The first may come when the other has done it.
    assert_eq!(one.append(upload, Chunk::of(bytes.slice(50_000..60_000)).at(50_000)).await.unwrap(), 60_000);
    let [one, other] = attempts(&client);
    let digest = Digest::sha256(&bytes);
    assert_refused!(one.finish(upload, body::broken_after(bytes.slice(60_000..90_000)), &digest).await, Error::BodyBroken(_));
    other.finish(upload, Chunk::of(bytes.slice(60_000..)), &digest).await.unwrap();
    assert!(client.read(&digest).await.unwrap() == bytes);
}
