//! What holds for tags.

use std::sync::Arc;

use super::{Client, content::Document};
use crate::{Error, ManifestPush, PageRequest, Registry, TagRule};

pub(super) async fn a_manifest_may_have_many_tags(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let tags: Vec<String> = (10..60).map(|number| format!("v{number}")).collect();
    let names: Vec<&str> = tags.iter().map(String::as_str).collect();
    let push = client.push_image(1, &names).await;
    assert_eq!(client.tags().await, tags);
    for tag in &tags {
        assert_eq!(client.resolve(tag).await, Some(push.digest));
    }
}

pub(super) async fn a_manifest_may_have_no_tag(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let push = client.push_image(1, &[]).await;
    assert_eq!(client.get(push.digest).await.unwrap().bytes, push.bytes);
    assert!(client.tags().await.is_empty());
}

pub(super) async fn a_tag_moves_to_what_was_pushed_last(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let first = client.push_image(1, &["latest"]).await;
    let second = client.push_image(2, &["latest"]).await;
    assert_eq!(client.get("latest").await.unwrap().bytes, second.bytes);
    assert_eq!(client.get(first.digest).await.unwrap().bytes, first.bytes);
    client.put(first.clone()).await.unwrap();
    assert_eq!(client.resolve("latest").await, Some(first.digest));
    assert_eq!(client.tags().await, ["latest"]);
}

pub(super) async fn pushing_again_keeps_other_tags(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let image = client.image(1).await;
    for tags in [&["v1"][..], &["v2"], &[]] {
        client.put(image.push(tags)).await.unwrap();
    }
    assert_eq!(client.tags().await, ["v1", "v2"]);
}

pub(super) async fn deleting_a_tag_keeps_the_manifest(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let push = client.push_image(1, &["v1", "v2"]).await;
    client.delete("v1").await.unwrap();
    assert_refused!(client.get("v1").await, Error::ManifestUnknown { .. });
    assert_refused!(client.delete("v1").await, Error::ManifestUnknown { .. });
    assert_eq!(client.resolve("v2").await, Some(push.digest));
    assert_eq!(client.tags().await, ["v2"]);
    client.delete("v2").await.unwrap();
    assert_eq!(client.get(push.digest).await.unwrap().bytes, push.bytes);
}

pub(super) async fn a_tag_of_a_child_can_be_deleted(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let child = client.image(1).await;
    client.put(child.push(&["child"])).await.unwrap();
    client.put(Document::index(&[child.descriptor()]).push(&["index"])).await.unwrap();
    client.delete("child").await.unwrap();
    assert_eq!(client.tags().await, ["index"]);
    assert!(client.get(child.descriptor().digest).await.is_ok());
}

pub(super) async fn an_emptied_repository_has_no_tags(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let push = client.push_image(1, &["v1"]).await;
    client.delete(push.digest).await.unwrap();
    assert!(client.tags().await.is_empty());
    assert_refused!(client.get("v1").await, Error::ManifestUnknown { .. });
}

pub(super) async fn a_repository_without_manifests_has_no_tags(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    client.push_blob("alone").await;
    assert!(client.tags().await.is_empty());
}

pub(super) async fn an_unknown_repository_has_no_list_of_tags(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    client.push_image(1, &["v1"]).await;
    for unknown in ["b", "a/b", "aa"] {
        let refused = client.repository(unknown).tags_page(&PageRequest::first(10)).await;
        assert_refused!(refused, Error::NameUnknown { .. });
    }
}

/// The same push, which may do no more to its tags.
fn restricted(push: &ManifestPush, rule: TagRule) -> ManifestPush {
    let mut push = push.clone();
    push.tags.iter_mut().for_each(|pushed| pushed.rule = rule);
    push
}

pub(super) async fn a_tag_that_is_there_is_not_made_again(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let first = client.image(1).await.push(&["v1"]);
    client.put(restricted(&first, TagRule::New)).await.unwrap();
    let second = client.image(2).await.push(&["v0", "v1", "v2"]);
    // The same content is no exception.
    for push in [&second, &first] {
        match client.put(restricted(push, TagRule::New)).await {
            Err(Error::TagExists { repository, tag }) => assert_eq!((repository.as_str(), tag.as_str()), ("a", "v1")),
            other => panic!("expected a refusal, found {other:?}"),
        }
    }
    assert_eq!(client.tags().await, ["v1"]);
    assert_eq!(client.resolve("v1").await, Some(first.digest));
    assert_refused!(client.get(second.digest).await, Error::ManifestUnknown { .. });
    client.delete("v1").await.unwrap();
    client.put(restricted(&second, TagRule::New)).await.unwrap();
    assert_eq!(client.tags().await, ["v0", "v1", "v2"]);
}

pub(super) async fn a_tag_that_is_not_there_is_not_moved(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let first = client.image(1).await.push(&["v1"]);
    assert_refused!(client.put(restricted(&first, TagRule::Existing)).await, Error::TagUnknown { .. });
    assert_eq!(client.resolve("v1").await, None);
    client.put(first.clone()).await.unwrap();
    client.put(restricted(&first, TagRule::Existing)).await.unwrap();
    let second = client.image(2).await.push(&["v1", "v2"]);
    match client.put(restricted(&second, TagRule::Existing)).await {
        Err(Error::TagUnknown { repository, tag }) => assert_eq!((repository.as_str(), tag.as_str()), ("a", "v2")),
        other => panic!("expected a refusal, found {other:?}"),
    }
    assert_eq!(client.resolve("v1").await, Some(first.digest));
    client.put(restricted(&client.image(2).await.push(&["v1"]), TagRule::Existing)).await.unwrap();
    assert_eq!((client.resolve("v1").await, client.tags().await), (Some(second.digest), vec!["v1".to_owned()]));
}

pub(super) async fn each_tag_of_a_push_has_a_rule_of_its_own(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    client.push_image(1, &["old", "any"]).await;
    let mut push = client.image(2).await.push(&["any", "fresh", "new", "old"]);
    for (pushed, rule) in push.tags.iter_mut().zip([TagRule::Any, TagRule::Any, TagRule::New, TagRule::Existing]) {
        pushed.rule = rule;
    }
    client.put(push.clone()).await.unwrap();
    assert_eq!(client.tags().await, ["any", "fresh", "new", "old"]);
    for tag in ["any", "fresh", "new", "old"] {
        assert_eq!(client.resolve(tag).await, Some(push.digest));
    }
}

pub(super) async fn a_manifest_of_many_tags_is_deleted_only_if_that_is_meant(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let push = client.push_image(1, &["v1", "v2"]).await;
    client.push_image(2, &["v3"]).await;
    match client.delete_untangled(push.digest).await {
        Err(Error::ManifestTagged { digest, tags, .. }) => assert_eq!((digest, tags), (push.digest, 2)),
        other => panic!("expected a refusal, found {other:?}"),
    }
    assert_eq!(client.tags().await, ["v1", "v2", "v3"]);
    client.delete_untangled("v2").await.unwrap();
    client.delete_untangled(push.digest).await.unwrap();
    assert_eq!(client.tags().await, ["v3"]);
}
