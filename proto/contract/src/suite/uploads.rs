//! What holds for an upload that one client goes through.

use std::sync::Arc;

use bytes::Bytes;
use zot_oci::{Algorithm, Digest};

use super::{Client, body, content::blob_of};
use crate::{Chunk, Error, PageRequest, Registry, UploadId};

pub(super) async fn a_blob_goes_up_in_one_piece(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let bytes = blob_of(1, 300_000);
    let digest = Digest::sha256(&bytes);
    let upload = client.open().await;
    assert_eq!(client.status(upload).await.unwrap(), 0);
    client.finish(upload, Chunk::of(bytes.clone()), &digest).await.unwrap();
    assert!(client.read(&digest).await.unwrap() == bytes);
}

pub(super) async fn a_blob_goes_up_in_chunks(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let bytes = blob_of(2, 250_000);
    let digest = Digest::sha256(&bytes);
    let upload = client.open().await;
    let mut offset = 0;
    for end in [1, 100_000, 100_000, 200_001] {
        let chunk = Chunk::of(bytes.slice(offset..end)).at(offset as u64);
        assert_eq!(client.append(upload, chunk).await.unwrap(), end as u64);
        assert_eq!(client.status(upload).await.unwrap(), end as u64);
        offset = end;
    }
    let last = Chunk::of(bytes.slice(offset..)).at(offset as u64);
    client.finish(upload, last, &digest).await.unwrap();
    assert!(client.read(&digest).await.unwrap() == bytes);
}

pub(super) async fn a_blob_goes_up_as_a_stream_of_unknown_length(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let bytes = blob_of(3, 100_000);
    let digest = Digest::sha256(&bytes);
    let pieces: Vec<Bytes> = bytes.chunks(777).map(Bytes::copy_from_slice).collect();
    let upload = client.open().await;
    assert_eq!(client.append(upload, body::in_pieces(pieces)).await.unwrap(), 100_000);
    client.finish(upload, Chunk::empty(), &digest).await.unwrap();
    assert!(client.read(&digest).await.unwrap() == bytes);
}

pub(super) async fn the_empty_blob_is_a_blob(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let digest = Digest::sha256(b"");
    let upload = client.open().await;
    client.finish(upload, Chunk::empty(), &digest).await.unwrap();
    assert_eq!(client.stat(&digest).await.unwrap(), 0);
    assert!(client.read(&digest).await.unwrap().is_empty());
}

pub(super) async fn every_algorithm_is_computed(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    for algorithm in Algorithm::ALL {
        let digest = Digest::of(algorithm, b"hello, world");
        let upload = client.open_with(algorithm).await;
        client.append(upload, Chunk::of("hello, ")).await.unwrap();
        client.finish(upload, Chunk::of("world"), &digest).await.unwrap();
        assert_eq!(client.read(&digest).await.unwrap(), "hello, world", "{algorithm}");
    }
}

pub(super) async fn the_algorithm_may_change_at_the_end(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    for (seed, early) in [(4, 0), (5, 60_000), (6, 90_000)] {
        let bytes = blob_of(seed, 90_000);
        let digest = Digest::of(Algorithm::Sha512, &bytes);
        let upload = client.open_with(Algorithm::Sha256).await;
        client.append(upload, Chunk::of(bytes.slice(..early))).await.unwrap();
        client.finish(upload, Chunk::of(bytes.slice(early..)), &digest).await.unwrap();
        assert!(client.read(&digest).await.unwrap() == bytes, "{early} bytes came before the digest");
    }
}

pub(super) async fn content_of_another_digest_is_discarded_with_its_upload(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let (right, wrong) = (Digest::sha256(b"abcdef"), Digest::sha256(b"other"));
    let upload = client.open().await;
    client.append(upload, Chunk::of("abc")).await.unwrap();
    match client.finish(upload, Chunk::of("def"), &wrong).await {
        Err(Error::DigestMismatch { expected, found }) => assert_eq!((expected, found), (wrong, right)),
        other => panic!("expected a refusal, found {other:?}"),
    }
    assert_refused!(client.status(upload).await, Error::UploadUnknown { .. });
    assert!(!client.has_blob(&wrong).await);
    assert!(!client.has_blob(&right).await);
}

pub(super) async fn a_chunk_at_the_wrong_offset_changes_nothing(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let digest = Digest::sha256(b"abcdef");
    let upload = client.open().await;
    client.append(upload, Chunk::of("abc").at(0)).await.unwrap();
    for wrong in [0, 2, 4, u64::MAX] {
        let appended = client.append(upload, Chunk::of("xyz").at(wrong)).await.map(|_| ());
        let finished = client.finish(upload, Chunk::of("xyz").at(wrong), &digest).await;
        for refusal in [appended, finished] {
            match refusal {
                Err(Error::UploadOffset { expected, found, .. }) => assert_eq!((expected, found), (3, wrong)),
                other => panic!("expected a refusal, found {other:?}"),
            }
        }
        assert_eq!(client.status(upload).await.unwrap(), 3);
    }
    client.finish(upload, Chunk::of("def").at(3), &digest).await.unwrap();
    assert_eq!(client.read(&digest).await.unwrap(), "abcdef");
}

pub(super) async fn a_broken_body_keeps_what_arrived(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let bytes = blob_of(7, 200_000);
    let digest = Digest::sha256(&bytes);
    let upload = client.open().await;
    let broken = body::broken_after(bytes.slice(..150_000));
    assert_refused!(client.append(upload, broken).await, Error::BodyBroken(_));
    assert_eq!(client.status(upload).await.unwrap(), 150_000);
    let rest = Chunk::of(bytes.slice(150_000..)).at(150_000);
    client.append(upload, rest).await.unwrap();
    client.finish(upload, Chunk::empty(), &digest).await.unwrap();
    assert!(client.read(&digest).await.unwrap() == bytes);
}

pub(super) async fn a_broken_last_chunk_keeps_what_arrived(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let digest = Digest::sha256(b"abcdef");
    let upload = client.open().await;
    client.append(upload, Chunk::of("abc")).await.unwrap();
    let broken = body::broken_after(Bytes::from("d"));
    assert_refused!(client.finish(upload, broken, &digest).await, Error::BodyBroken(_));
    assert!(!client.has_blob(&digest).await);
    assert_eq!(client.status(upload).await.unwrap(), 4);
    client.finish(upload, Chunk::of("ef").at(4), &digest).await.unwrap();
    assert_eq!(client.read(&digest).await.unwrap(), "abcdef");
}

pub(super) async fn an_upload_belongs_to_its_subject(registry: Arc<dyn Registry>) {
    let alice = Client::new(&registry, "a");
    let upload = alice.open().await;
    alice.append(upload, Chunk::of("abc")).await.unwrap();
    assert_not_mine(&alice.user("bob"), upload).await;
    assert_not_mine(&alice.user(""), upload).await;
    assert_unharmed(&alice, upload).await;

    let anonymous = alice.user("");
    let upload = anonymous.open().await;
    anonymous.append(upload, Chunk::of("abc")).await.unwrap();
    assert_not_mine(&alice, upload).await;
    assert_unharmed(&anonymous, upload).await;
}

pub(super) async fn an_upload_belongs_to_its_repository(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let upload = client.open().await;
    client.append(upload, Chunk::of("abc")).await.unwrap();
    assert_not_mine(&client.repository("b"), upload).await;
    assert_not_mine(&client.repository("a/a"), upload).await;
    assert_not_mine(&client, UploadId::random()).await;
    assert_unharmed(&client, upload).await;
}

async fn assert_not_mine(client: &Client, upload: UploadId) {
    assert_refused!(client.status(upload).await, Error::UploadUnknown { .. });
    assert_refused!(client.append(upload, Chunk::of("x")).await, Error::UploadUnknown { .. });
    let digest = Digest::sha256(b"abc");
    assert_refused!(client.finish(upload, Chunk::empty(), &digest).await, Error::UploadUnknown { .. });
    assert_refused!(client.cancel(upload).await, Error::UploadUnknown { .. });
}

async fn assert_unharmed(client: &Client, upload: UploadId) {
    client.finish(upload, Chunk::empty(), &Digest::sha256(b"abc")).await.unwrap();
}

pub(super) async fn an_unfinished_upload_is_no_blob(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let upload = client.open().await;
    client.append(upload, Chunk::of("abc")).await.unwrap();
    assert_refused!(client.stat(&Digest::sha256(b"abc")).await, Error::NameUnknown { .. });
    assert_refused!(client.tags_page(&PageRequest::first(1)).await, Error::NameUnknown { .. });
}

pub(super) async fn a_finished_upload_is_over(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let upload = client.open().await;
    client.finish(upload, Chunk::of("abc"), &Digest::sha256(b"abc")).await.unwrap();
    assert_not_mine(&client, upload).await;
    assert!(client.has_blob(&Digest::sha256(b"abc")).await);
}

pub(super) async fn a_cancelled_upload_is_over(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let upload = client.open().await;
    client.append(upload, Chunk::of("abc")).await.unwrap();
    client.cancel(upload).await.unwrap();
    assert_not_mine(&client, upload).await;
    assert!(!client.has_blob(&Digest::sha256(b"abc")).await);
}

pub(super) async fn the_same_content_can_go_up_twice(registry: Arc<dyn Registry>) {
    let client = Client::new(&registry, "a");
    let digest = Digest::sha256(b"abc");
    let uploads = [client.open().await, client.open().await];
    assert_ne!(uploads[0], uploads[1]);
    for upload in uploads {
        client.append(upload, Chunk::of("ab")).await.unwrap();
    }
    for upload in uploads {
        client.finish(upload, Chunk::of("c"), &digest).await.unwrap();
        assert_eq!(client.read(&digest).await.unwrap(), "abc");
    }
}
