//! No space left: a clear refusal, nothing acknowledged is lost, reads go on, and so does everything when there is space again.

use zot_tests::{Client, Image, Manifest, Reply, content::bytes, digest_of, wait};

use crate::{
    disk::{Disk, Frozen, PLAIN},
    layouts,
    load::{AfterFailure, Load, offset},
    model::{Fact, Model, check, nothing_wrong_is_served, push_to_every_repository},
    rounds::Rounds,
};

/// What is looked at while the disk is of no use.
const LOOKS: usize = 100;
const DISK_MEBIBYTES: u64 = 128;
/// The most small pushes until the metadata needs space that is not there.
const PUSHES_MAX: u64 = 4000;

/// Fails the test unless the registry says that it lacks storage, and when to try again.
#[track_caller]
pub(crate) fn expect_unavailable(reply: Reply) {
    let reply = reply.expect_error(503, "UNAVAILABLE");
    assert!(reply.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0), "{:?}", reply.headers);
}

/// Waits until the registry takes pushes again, without a restart.
pub(crate) async fn until_pushes_work(client: &Client) {
    let mut seed = 1 << 40;
    let works = async || {
        seed += 1;
        let image = Image::small(seed);
        let digest = digest_of(&image.config);
        let call = client.post(&format!("/v2/probe/blobs/uploads/?digest={digest}"));
        call.header("content-type", "application/octet-stream").body(image.config).await.status == 201
    };
    wait::until("pushes work again", works).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_again_and_again_loses_nothing_and_needs_no_restart() {
    let name = "a_disk_that_fills_up_again_and_again_loses_nothing_and_needs_no_restart";
    let mut rounds = Rounds::of("disk full under load", 10);
    let Some(disk) = Disk::new(name, DISK_MEBIBYTES, PLAIN) else { return };
    let mut sandbox = disk.sandbox().start().await;
    let load = Load::new(&rounds.random);
    let model = load.model.clone();
    let running = load.start(&sandbox.url());
    let mut unreadable = 0;
    for _ in 0..rounds.count {
        // The fault comes at any time: nothing is waited for.
        tokio::time::sleep(rounds.random.milliseconds(50..400)).await;
        disk.fill(rounds.random.within(0..300_000));
        let before = model.refusals();
        wait::until("a push is refused", async || model.refusals() > before).await;
        // Reads go on: a refusal in the moment in which the metadata is opened again is all that may happen to one.
        unreadable += nothing_wrong_is_served(&model, &sandbox.client(), LOOKS).await;
        disk.free();
        until_pushes_work(&sandbox.client()).await;
    }
    let mut load = running.stopped().await;
    let client = sandbox.client();
    load.resume_uploads(&client, AfterFailure::Kept).await;
    let checked = check(&model, &client).await;
    push_to_every_repository(&model, &client, rounds.random.next()).await;
    layouts::catch_up(&model, sandbox.root()).await;
    sandbox.restart().await;
    assert_eq!(layouts::leftovers(sandbox.root()), [""; 0], "files of uploads that were not reclaimed");
    check(&model, &sandbox.client()).await;
    let (acknowledged, refused) = (model.acknowledged(), model.refusals());
    println!("{} fillings, {acknowledged} acknowledged, {refused} refused, {unreadable} reads refused, {checked:?}", rounds.count);
}

#[tokio::test]
async fn an_upload_that_fills_the_disk_goes_on_where_it_was_when_there_is_space() {
    let name = "an_upload_that_fills_the_disk_goes_on_where_it_was_when_there_is_space";
    let Some(disk) = Disk::new(name, DISK_MEBIBYTES, PLAIN) else { return };
    let sandbox = disk.sandbox().start().await;
    let client = sandbox.client();
    // The first part is kept in memory or on the disk; nothing or some of the second finds room.
    for (seed, first, left) in [(1, 5_000, 0), (2, 5_000, 1 << 20), (3, 1 << 20, 0), (4, 1 << 20, 3 << 20)] {
        let content = bytes(seed, 12 << 20);
        let (first, rest) = content.split_at(first);
        let upload = client.start_upload("a").await;
        client.append(&upload, 0, first).await.expect(202);
        disk.fill(left);
        expect_unavailable(client.append(&upload, first.len(), rest).await);
        // The registry does not read the rest of what it refused; the connection is of no use any more.
        let client = sandbox.client();
        assert_eq!(offset(&client.get(&upload).await.expect(204)), first.len());
        disk.free();
        client.append(&upload, first.len(), rest).await.expect(202);
        let digest = digest_of(&content);
        client.finish_upload(&upload, &digest, b"").await.expect(201);
        let served = client.get_blob("a", &digest).await.expect(200).body;
        assert!(served == content, "the blob is not what was sent");
        client.delete(&format!("/v2/a/blobs/{digest}")).await.expect(202);
    }
}

/// Pushes small blobs, which are kept with the metadata, until one is refused. Returns those that were acknowledged.
async fn push_until_refused(client: &Client, repository: &str) -> Vec<String> {
    let mut pushed = Vec::new();
    for seed in 0..PUSHES_MAX {
        let blob = bytes(seed, 15_000);
        let digest = digest_of(&blob);
        let call = client.post(&format!("/v2/{repository}/blobs/uploads/?digest={digest}"));
        let reply = call.header("content-type", "application/octet-stream").body(blob).await;
        if reply.status != 201 {
            expect_unavailable(reply);
            return pushed;
        }
        pushed.push(digest);
    }
    panic!("a full disk took {PUSHES_MAX} pushes");
}

async fn expect_readable(client: &Client, repository: &str, blobs: &[String]) {
    for digest in blobs {
        let reply = client.get_blob(repository, digest).await.expect(200);
        assert_eq!(digest_of(&reply.body), *digest);
    }
}

#[tokio::test]
async fn metadata_that_finds_no_space_refuses_the_push_and_stays_readable() {
    let name = "metadata_that_finds_no_space_refuses_the_push_and_stays_readable";
    let Some(disk) = Disk::new(name, DISK_MEBIBYTES, PLAIN) else { return };
    let mut sandbox = disk.sandbox().start().await;
    let client = sandbox.client();
    let image = Image::small(1);
    client.push_image("a", "v1", &image).await;
    disk.fill(0);
    let pushed = push_until_refused(&client, "a").await;
    // The store is opened again; from then on reading needs no space.
    let readable = async || client.get_manifest("a", "v1").await.status == 200;
    wait::until("what is there can be read while the disk is full", readable).await;
    expect_readable(&client, "a", &pushed).await;
    disk.free();
    until_pushes_work(&client).await;
    client.push_image("a", "v2", &Image::small(2)).await;
    sandbox.restart().await;
    let client = sandbox.client();
    expect_readable(&client, "a", &pushed).await;
    assert_eq!(client.tags("a").await, ["v1", "v2"]);
}

/// An image whose manifest is larger than what is kept with the metadata.
fn image_with_large_manifest() -> Image {
    let mut image = Image::small(3);
    let mut manifest: serde_json::Value = serde_json::from_slice(&image.manifest.bytes).expect("a manifest");
    manifest["annotations"] = serde_json::json!({"org.example.padding": "x".repeat(100_000)});
    image.manifest = Manifest::new(&manifest);
    image
}

#[tokio::test]
async fn a_manifest_that_finds_no_space_is_refused_and_can_be_pushed_again() {
    let name = "a_manifest_that_finds_no_space_is_refused_and_can_be_pushed_again";
    let Some(disk) = Disk::new(name, DISK_MEBIBYTES, PLAIN) else { return };
    let sandbox = disk.sandbox().start().await;
    let (client, image) = (sandbox.client(), image_with_large_manifest());
    for blob in image.blobs() {
        client.push_blob("a", blob).await;
    }
    disk.fill(0);
    expect_unavailable(client.put_manifest("a", "v1", &image.manifest).await);
    client.get_manifest("a", "v1").await.expect(404);
    disk.free();
    until_pushes_work(&client).await;
    client.put_manifest("a", "v1", &image.manifest).await.expect(201);
    assert_eq!(client.get_manifest("a", "v1").await.expect(200).body, image.manifest.bytes);
}

#[tokio::test]
async fn image_layouts_that_find_no_space_catch_up_when_there_is_some() {
    let name = "image_layouts_that_find_no_space_catch_up_when_there_is_some";
    let Some(disk) = Disk::new(name, DISK_MEBIBYTES, PLAIN) else { return };
    let sandbox = disk.sandbox().start().await;
    let (client, model) = (sandbox.client(), Model::default());
    push(&client, &model, 0).await;
    layouts::catch_up(&model, sandbox.root()).await;
    // The projector cannot begin before the disk is full.
    let frozen = Frozen::new(&sandbox.root().join("full"));
    for seed in 1..20 {
        push(&client, &model, seed).await;
    }
    disk.fill(0);
    drop(frozen);
    let failed = |line: &str| line.contains("could not bring image layouts up to date") && line.contains("No space left");
    wait::until("the projector finds no space", async || sandbox.logs().text().lines().any(failed)).await;
    check(&model, &client).await;
    disk.free();
    until_pushes_work(&client).await;
    layouts::catch_up(&model, sandbox.root()).await;
}

/// Pushes an image to a repository of its own.
async fn push(client: &Client, model: &Model, seed: u64) {
    let (image, repository) = (Image::small(seed), format!("full/{seed}"));
    let digest = image.digest();
    let pending = model.begin([Fact::manifest(&repository, &digest), Fact::tag(&repository, "v")].map(|fact| (fact, Some(digest.clone()))));
    client.push_image(&repository, "v", &image).await;
    pending.acknowledged();
}
