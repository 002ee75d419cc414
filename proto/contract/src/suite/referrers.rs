//! What holds for the list of referrers.

use std::sync::Arc;

use zot_oci::{Descriptor, Digest, media_types};

use super::{
    Client,
    content::{CONFIG, Document, describe},
};
use crate::{Page, PageRequest, REFERRERS_BYTES_MAX, Registry};

/// An image in the repository, to be referred to.
async fn subject(client: &Client) -> Descriptor {
    let image = client.image(100).await;
    client.put(image.push(&["subject"])).await.unwrap();
    image.descriptor()
}

/// An artifact without content that refers to `subject`, and differs from others by its name.
async fn artifact(client: &Client, subject: &Descriptor, name: &str) -> Document {
    client.push_blob("{}").await;
    let empty = describe("application/vnd.oci.empty.v1+json", b"{}");
    Document::image(&empty, &[]).subject(subject).annotation("name", name)
}

pub(super) async fn a_push_names_its_subject(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let subject = subject(&client).await;
    let referrer = artifact(&client, &subject, "x").await;
    let pushed = client.put(referrer.push(&[])).await.unwrap();
    assert_eq!(pushed.subject, Some(subject.digest));
    let plain = client.put(Document::index(&[]).push(&[])).await.unwrap();
    assert_eq!(plain.subject, None);
}

pub(super) async fn annotations_may_be_as_large_as_a_manifest(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let subject = subject(&client).await;
    let mut pushed = Vec::new();
    for (name, bytes) in [("small", 1), ("large", 500_000), ("other", 1)] {
        let referrer = artifact(&client, &subject, name).await.annotation("long", &"x".repeat(bytes));
        client.put(referrer.push(&[])).await.unwrap();
        pushed.push(referrer);
    }
    pushed.sort_by_key(|referrer| referrer.descriptor().digest);
    let listed = client.referrers(&subject.digest).await;
    assert_eq!(
        listed.iter().map(|entry| entry.digest).collect::<Vec<_>>(),
        pushed.iter().map(|it| it.descriptor().digest).collect::<Vec<_>>()
    );
    for (entry, referrer) in listed.iter().zip(&pushed) {
        let Descriptor { media_type, size, .. } = referrer.descriptor();
        assert_eq!((&entry.media_type, entry.size), (&media_type, size));
        assert_eq!(entry.artifact_type.as_deref(), Some("application/vnd.oci.empty.v1+json"));
    }
    let mut lengths: Vec<_> = listed.iter().map(|entry| entry.annotations["long"].len()).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [1, 1, 500_000]);
}

pub(super) async fn referrers_are_listed_in_order(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let subject = subject(&client).await;
    let mut pushed = Vec::new();
    for number in 0..20 {
        let referrer = artifact(&client, &subject, &number.to_string()).await;
        client.put(referrer.push(&[])).await.unwrap();
        client.put(referrer.push(&["again"])).await.unwrap();
        pushed.push(referrer.descriptor().digest);
    }
    pushed.sort_unstable();
    let listed: Vec<Digest> = client.referrers(&subject.digest).await.iter().map(|referrer| referrer.digest).collect();
    assert_eq!(listed, pushed);
}

pub(super) async fn referrers_come_in_pages(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let subject = subject(&client).await;
    let mut pushed = Vec::new();
    for number in 0..7 {
        let referrer = artifact(&client, &subject, &number.to_string()).await;
        client.put(referrer.push(&[])).await.unwrap();
        pushed.push(referrer.descriptor().digest);
    }
    pushed.sort_unstable();
    for entries_max in 1..=pushed.len() + 1 {
        let pages = walk(&client, &subject.digest, entries_max).await;
        assert!(pages.iter().rev().skip(1).all(|page| page.len() == entries_max), "a page that is not the last is full");
        assert_eq!(pages.concat(), pushed);
    }
    for after in [Digest::sha256(b"x"), Digest::sha256(b"y"), *pushed.last().unwrap()] {
        let beyond: Vec<Digest> = pushed.iter().copied().filter(|digest| *digest > after).collect();
        let page = client.referrers_page(&subject.digest, &PageRequest { after: Some(after), entries_max: usize::MAX }).await;
        assert_eq!((digests(&page), page.more), (beyond, false));
    }
    assert!(client.referrers_page(&subject.digest, &PageRequest::first(0)).await.entries.is_empty());
}

pub(super) async fn a_page_of_referrers_has_a_size(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let subject = subject(&client).await;
    let mut pushed = Vec::new();
    for number in 0..10 {
        // Only what is written for a character in JSON counts: `\u0001` is six bytes.
        let referrer = artifact(&client, &subject, &number.to_string()).await.annotation("long", &"\u{1}".repeat(100_000));
        client.put(referrer.push(&[])).await.unwrap();
        pushed.push(referrer.descriptor().digest);
    }
    pushed.sort_unstable();
    let pages = walk(&client, &subject.digest, usize::MAX).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [6, 4]);
    assert_eq!(pages.concat(), pushed);
}

pub(super) async fn a_referrer_larger_than_a_page_is_alone_on_one(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let subject = subject(&client).await;
    let mut pushed = Vec::new();
    for name in ["a", "b", "c", "large"] {
        let bytes = if name == "large" { REFERRERS_BYTES_MAX } else { 1 };
        let referrer = artifact(&client, &subject, name).await.annotation("long", &"x".repeat(bytes));
        client.put(referrer.push(&[])).await.unwrap();
        pushed.push(referrer.descriptor().digest);
    }
    let large = pushed[3];
    pushed.sort_unstable();
    let pages = walk(&client, &subject.digest, usize::MAX).await;
    assert!(pages.contains(&vec![large]), "{large} is not alone on a page: {pages:?}");
    assert_eq!(pages.concat(), pushed);
}

/// The digests of all that refers to `subject`, page by page.
async fn walk(client: &Client, subject: &Digest, entries_max: usize) -> Vec<Vec<Digest>> {
    let (mut pages, mut request) = (Vec::new(), PageRequest::first(entries_max));
    loop {
        let page = client.referrers_page(subject, &request).await;
        pages.push(digests(&page));
        if !page.more {
            return pages;
        }
        request.after = page.entries.last().map(|last| last.digest);
    }
}

fn digests(page: &Page<Descriptor>) -> Vec<Digest> {
    page.entries.iter().map(|entry| entry.digest).collect()
}

pub(super) async fn a_referrer_is_described(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let subject = subject(&client).await;
    let referrer = artifact(&client, &subject, "x").await;
    let referrer = referrer.artifact_type("application/x-signature").annotation("key", "value");
    client.put(referrer.push(&[])).await.unwrap();
    let expected = Descriptor {
        artifact_type: Some("application/x-signature".to_owned()),
        annotations: [("name", "x"), ("key", "value")].map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        ..referrer.descriptor()
    };
    assert_eq!(client.referrers(&subject.digest).await, [expected]);
}

pub(super) async fn the_artifact_type_of_an_image_is_its_configs(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let subject = subject(&client).await;
    client.push_blob("config").await;
    let referrer = Document::image(&describe(CONFIG, b"config"), &[]).subject(&subject);
    client.put(referrer.push(&[])).await.unwrap();
    let listed = client.referrers(&subject.digest).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].artifact_type.as_deref(), Some(CONFIG));
    assert!(listed[0].annotations.is_empty());
}

pub(super) async fn an_index_can_refer(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let subject = subject(&client).await;
    let index = Document::index(&[]).subject(&subject);
    client.put(index.push(&[])).await.unwrap();
    assert_eq!(client.referrers(&subject.digest).await, [index.descriptor()]);
}

pub(super) async fn the_subject_may_be_absent(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let absent = describe(media_types::OCI_MANIFEST.as_str(), b"absent");
    let referrer = artifact(&client, &absent, "x").await;
    let pushed = client.put(referrer.push(&[])).await.unwrap();
    assert_eq!(pushed.subject, Some(absent.digest));
    assert_eq!(client.referrers(&absent.digest).await.len(), 1);
}

pub(super) async fn referrers_belong_to_one_repository(registry: Arc<dyn Registry>) {
    let (one, other) = (Client::new(&registry, "a"), Client::new(&registry, "b"));
    let subject = subject(&one).await;
    assert_eq!(self::subject(&other).await, subject);
    let referrer = artifact(&one, &subject, "x").await;
    one.put(referrer.push(&[])).await.unwrap();
    assert_eq!(one.referrers(&subject.digest).await.len(), 1);
    assert!(other.referrers(&subject.digest).await.is_empty());
}

pub(super) async fn a_deleted_referrer_is_not_listed(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let subject = subject(&client).await;
    let (gone, stays) = (artifact(&client, &subject, "gone").await, artifact(&client, &subject, "stays").await);
    client.put(gone.push(&["gone"])).await.unwrap();
    client.put(stays.push(&["stays"])).await.unwrap();
    client.delete("stays").await.unwrap();
    client.delete(gone.descriptor().digest).await.unwrap();
    let listed = client.referrers(&subject.digest).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].digest, stays.descriptor().digest);
}

pub(super) async fn nobody_refers_to_the_unknown(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let unknown = Digest::sha256(b"unknown");
    assert!(client.referrers(&unknown).await.is_empty());
    let subject = subject(&client).await;
    assert!(client.referrers(&unknown).await.is_empty());
    assert!(client.referrers(&subject.digest).await.is_empty());
}
