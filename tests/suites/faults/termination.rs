//! SIGTERM under load, and both signals while a directory is adopted.

use std::{fs, path::Path};

use serde_json::{Value as Json, json};
use zot_tests::{Image, Sandbox, content::bytes, digest_of};

use crate::{
    layouts,
    load::{AfterFailure, Load},
    model::{Fact, Model, check, push_to_every_repository},
    rounds::Rounds,
};

/// Repositories and images of each in a directory that is adopted.
const REPOSITORIES: u64 = 60;
const IMAGES: u64 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_drains_and_loses_nothing() {
    let mut rounds = Rounds::of("SIGTERM under load", 6);
    let mut sandbox = Sandbox::builder().set("/log/level", "warn").start().await;
    let mut load = Load::new(&rounds.random);
    for _ in 0..rounds.count {
        let running = load.start(&sandbox.url());
        // The signal comes at any time: nothing is waited for.
        tokio::time::sleep(rounds.random.milliseconds(50..500)).await;
        let status = sandbox.terminate().await;
        load = running.stopped().await;
        assert_eq!(status.code(), Some(0));
        sandbox.restart().await;
        let client = sandbox.client();
        load.resume_uploads(&client, AfterFailure::Kept).await;
        check(&load.model, &client).await;
        push_to_every_repository(&load.model, &client, rounds.random.next()).await;
        layouts::catch_up(&load.model, sandbox.root()).await;
    }
    println!("{} terminations, {} acknowledged", rounds.count, load.model.acknowledged());
}

/// Writes a repository as another tool would, an OCI image layout, and tells the model.
fn write_layout(root: &Path, repository: &str, model: &Model, seed: u64) {
    let directory = root.join(repository);
    fs::create_dir_all(directory.join("blobs/sha256")).unwrap();
    fs::write(directory.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let mut manifests = Vec::new();
    for number in 0..IMAGES {
        let image = Image::with_layers(seed + number, vec![bytes(seed + number, 2_000), bytes(number, 30_000)]);
        for blob in image.blobs().chain([image.manifest.bytes.as_slice()]) {
            fs::write(directory.join("blobs").join(digest_of(blob).replace(':', "/")), blob).unwrap();
        }
        let (tag, digest) = (format!("v{number}"), image.digest());
        let mut descriptor: Json = image.manifest.descriptor();
        descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
        manifests.push(descriptor);
        let facts = [Fact::manifest(repository, &digest), Fact::tag(repository, &tag)];
        model.begin(facts.map(|fact| (fact, Some(digest.clone())))).acknowledged();
    }
    let index = json!({"schemaVersion": 2, "manifests": manifests});
    fs::write(directory.join("index.json"), index.to_string()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_directory_is_adopted_whole_however_often_the_adoption_is_ended() {
    let mut rounds = Rounds::of("SIGKILL and SIGTERM while adopting", 10);
    let mut sandbox = Sandbox::builder().set("/log/level", "warn").prepare();
    let model = Model::default();
    for repository in 0..REPOSITORIES {
        write_layout(sandbox.root(), &format!("group-{}/repository-{repository}", repository % 5), &model, 1000 * (1 + repository));
    }
    for round in 0..rounds.count {
        sandbox.spawn();
        tokio::time::sleep(rounds.random.milliseconds(5..600)).await;
        if round % 2 == 0 {
            sandbox.kill9();
        } else {
            // A process that has yet to listen for signals is ended by this one.
            let code = sandbox.terminate().await.code();
            assert!([Some(0), None].contains(&code), "{code:?}");
        }
    }
    sandbox.restart().await;
    let checked = check(&model, &sandbox.client()).await;
    assert_eq!(layouts::leftovers(sandbox.root()), [""; 0]);
    assert_eq!(sandbox.terminate().await.code(), Some(0));
    layouts::check(&model, sandbox.root());
    println!("{} ends, {checked:?}", rounds.count);
}
