//! A disk that refuses changes to one file or directory, at every step of a push: a clear refusal, and the same request works afterwards.

use std::{
    fs,
    future::IntoFuture as _,
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use tokio::sync::oneshot;
use zot_tests::{Client, Image, Sandbox, content::bytes, digest_of, wait};

use crate::{
    disk::{Disk, Frozen, PLAIN},
    disk_full::{expect_unavailable, until_pushes_work},
    layouts,
    load::offset,
    model::{Fact, Model},
};

const DISK_MEBIBYTES: u64 = 96;

/// A registry on a disk whose files can be frozen. The disk goes last.
struct Setting {
    sandbox: Sandbox,
    client: Client,
    _disk: Disk,
}

impl Setting {
    async fn new(name: &str) -> Option<Self> {
        let disk = Disk::new(name, DISK_MEBIBYTES, PLAIN)?;
        let sandbox = disk.sandbox().start().await;
        let client = sandbox.client();
        Some(Self { sandbox, client, _disk: disk })
    }

    fn freeze(&self, path: &str) -> Frozen {
        Frozen::new(&self.sandbox.root().join(path))
    }

    /// Fails the test unless the blob is there, whole.
    async fn expect_blob(&self, content: &[u8]) {
        let reply = self.client.get_blob("a", &digest_of(content)).await.expect(200);
        assert_eq!(digest_of(&reply.body), digest_of(content));
    }
}

/// The files of uploads that have bytes on the disk.
fn staged(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root.join("_uploads")).expect("the directory of uploads").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.extension().is_none()).collect()
}

#[tokio::test]
async fn an_upload_that_cannot_be_staged_is_refused_and_goes_on_later() {
    let Some(it) = Setting::new("an_upload_that_cannot_be_staged_is_refused_and_goes_on_later").await else { return };
    let content = bytes(1, 300_000);
    let upload = it.client.start_upload("a").await;
    let frozen = it.freeze("_uploads");
    expect_unavailable(it.client.append(&upload, 0, &content).await);
    assert_eq!(offset(&it.client.get(&upload).await.expect(204)), 0);
    drop(frozen);
    it.client.append(&upload, 0, &content).await.expect(202);
    it.client.finish_upload(&upload, &digest_of(&content), b"").await.expect(201);
    it.expect_blob(&content).await;
}

#[tokio::test]
async fn a_chunk_whose_session_cannot_be_saved_is_refused_and_can_be_sent_again() {
    let Some(it) = Setting::new("a_chunk_whose_session_cannot_be_saved_is_refused_and_can_be_sent_again").await else { return };
    let content = bytes(2, 300_000);
    let (first, second) = content.split_at(100_000);
    let upload = it.client.start_upload("a").await;
    it.client.append(&upload, 0, first).await.expect(202);
    let frozen = it.freeze("_uploads");
    expect_unavailable(it.client.append(&upload, first.len(), second).await);
    assert_eq!(offset(&it.client.get(&upload).await.expect(204)), first.len());
    drop(frozen);
    it.client.append(&upload, first.len(), second).await.expect(202);
    it.client.finish_upload(&upload, &digest_of(&content), b"").await.expect(201);
    it.expect_blob(&content).await;
}

#[tokio::test]
async fn a_chunk_that_can_be_neither_written_nor_undone_leaves_the_upload_where_it_was() {
    let Some(it) = Setting::new("a_chunk_that_can_be_neither_written_nor_undone_leaves_the_upload_where_it_was").await else { return };
    let content = bytes(3, 3 << 20);
    let (first, rest) = content.split_at(1 << 20);
    let upload = it.client.start_upload("a").await;
    it.client.append(&upload, 0, first).await.expect(202);
    let file = staged(it.sandbox.root()).pop().expect("a staged file");

    // Half of the chunk is on the disk when its file freezes.
    let (half, other) = (Bytes::copy_from_slice(&rest[..1 << 20]), Bytes::copy_from_slice(&rest[1 << 20..]));
    let (go_on, frozen) = oneshot::channel::<()>();
    let then = stream::once(async move {
        frozen.await.ok();
        Ok::<_, io::Error>(other)
    });
    let pieces = sync(stream::once(async move { Ok(half) }).chain(then));
    let call = it.client.patch(&upload).header("content-type", "application/octet-stream").stream(pieces);
    let freezing = async {
        let written = async || fs::metadata(&file).is_ok_and(|file| file.len() > (3 << 19));
        wait::until("half of the chunk is written", written).await;
        let frozen = Frozen::new(&file);
        go_on.send(()).ok();
        frozen
    };
    let (reply, frozen) = tokio::join!(call.into_future(), freezing);
    expect_unavailable(reply);
    drop(frozen);

    assert_eq!(offset(&it.client.get(&upload).await.expect(204)), first.len());
    it.client.append(&upload, first.len(), rest).await.expect(202);
    it.client.finish_upload(&upload, &digest_of(&content), b"").await.expect(201);
    it.expect_blob(&content).await;
}

/// A stream that may be shared between threads, as request bodies have to be.
fn sync<T: Send + 'static>(pieces: impl futures::Stream<Item = T> + Send + 'static) -> impl futures::Stream<Item = T> + Send + Sync {
    let (sender, receiver) = futures::channel::mpsc::channel(0);
    tokio::spawn(pieces.map(Ok).forward(sender));
    receiver
}

#[tokio::test]
async fn a_blob_that_cannot_get_its_name_is_refused_and_can_be_finished_later() {
    let Some(it) = Setting::new("a_blob_that_cannot_get_its_name_is_refused_and_can_be_finished_later").await else { return };
    it.client.push_blob("a", &bytes(4, 100_000)).await;
    let content = bytes(5, 200_000);
    let hex = digest_of(&content)["sha256:".len()..].to_owned();
    let frozen = it.freeze("_blobs/sha256");
    let upload = it.client.start_upload("a").await;
    for _ in 0..2 {
        expect_unavailable(it.client.finish_upload(&upload, &digest_of(&content), &content).await);
        it.client.get_blob("a", &digest_of(&content)).await.expect(404);
    }
    drop(frozen);
    it.client.finish_upload(&upload, &digest_of(&content), &content).await.expect(201);
    it.expect_blob(&content).await;
    assert!(staged(it.sandbox.root()).is_empty());
    assert!(it.sandbox.root().join("_blobs/sha256").join(&hex[..2]).join(&hex).is_file());
}

#[tokio::test]
async fn metadata_that_cannot_be_written_refuses_pushes_until_it_can() {
    let Some(mut it) = Setting::new("metadata_that_cannot_be_written_refuses_pushes_until_it_can").await else { return };
    let (old, new) = (Image::small(1), Image::small(2));
    it.client.push_image("a", "v", &old).await;
    for blob in new.blobs() {
        it.client.push_blob("a", blob).await;
    }
    let frozen = it.freeze("_zot/metadata.redb");
    // Refused at once while the store cannot be opened again, and not left waiting for it.
    for _ in 0..20 {
        expect_unavailable(it.client.put_manifest("a", "v", &new.manifest).await);
    }
    drop(frozen);
    until_pushes_work(&it.client).await;
    // Refused without an answer from the disk, it may have happened or not; what is there is whole either way.
    let shown = it.client.get_manifest("a", "v").await.expect(200);
    assert!([old.digest(), new.digest()].contains(&digest_of(&shown.body)));
    it.client.put_manifest("a", "v", &new.manifest).await.expect(201);
    it.sandbox.restart().await;
    assert_eq!(digest_of(&it.sandbox.client().get_manifest("a", "v").await.expect(200).body), new.digest());
}

#[tokio::test]
async fn an_upload_whose_rows_cannot_be_written_can_be_finished_later() {
    let Some(it) = Setting::new("an_upload_whose_rows_cannot_be_written_can_be_finished_later").await else { return };
    let (small, large) = (bytes(6, 1_000), bytes(7, 200_000));
    let mut uploads = Vec::new();
    for content in [&small, &large] {
        let upload = it.client.start_upload("a").await;
        it.client.append(&upload, 0, &content[..500]).await.expect(202);
        uploads.push((upload, content));
    }
    let frozen = it.freeze("_zot/metadata.redb");
    for (upload, content) in &uploads {
        for _ in 0..2 {
            expect_unavailable(it.client.finish_upload(upload, &digest_of(content), &content[500..]).await);
        }
    }
    drop(frozen);
    until_pushes_work(&it.client).await;
    for (upload, content) in &uploads {
        it.client.finish_upload(upload, &digest_of(content), &content[500..]).await.expect(201);
        it.expect_blob(content).await;
    }
    assert!(staged(it.sandbox.root()).is_empty());
}

#[tokio::test]
async fn image_layouts_that_cannot_be_written_catch_up_when_they_can() {
    let Some(it) = Setting::new("image_layouts_that_cannot_be_written_catch_up_when_they_can").await else { return };
    let model = Model::default();
    push(&it.client, &model, "a", 1).await;
    layouts::catch_up(&model, it.sandbox.root()).await;
    let frozen = [it.freeze("a"), it.freeze("a/blobs/sha256")];
    for (repository, seed) in [("a", 2), ("b", 3)] {
        push(&it.client, &model, repository, seed).await;
    }
    let failed = async || it.sandbox.logs().text().contains("could not bring image layouts up to date");
    wait::until("the projector is refused", failed).await;
    // A repository that cannot be written does not hold up the others.
    wait::until("the other layout is there", async || layouts::shown(it.sandbox.root(), "b").len() == 1).await;
    assert_eq!(layouts::shown(it.sandbox.root(), "a").len(), 1);
    drop(frozen);
    layouts::catch_up(&model, it.sandbox.root()).await;
}

/// Pushes an image under a tag of its own.
async fn push(client: &Client, model: &Model, repository: &str, seed: u64) {
    let (image, tag) = (Image::small(seed), format!("v{seed}"));
    let digest = image.digest();
    let pending = model.begin([Fact::manifest(repository, &digest), Fact::tag(repository, &tag)].map(|fact| (fact, Some(digest.clone()))));
    client.push_image(repository, &tag, &image).await;
    pending.acknowledged();
}
