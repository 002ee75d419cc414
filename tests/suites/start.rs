//! Starting: from nothing, twice, and where somebody else is already.

use std::{fs, net::TcpListener, path::PathBuf, process::Command};

use serde_json::json;
use zot_tests::{Image, Sandbox, digest_of, sandbox, sandbox::Signal, wait};

#[tokio::test]
async fn the_first_line_for_people_says_where_it_is_and_how_to_push() {
    let sandbox = Sandbox::start().await;
    let address = sandbox.address();
    let expected = format!("serving http://{address}, push with: docker push {address}/<repository>:<tag>");
    wait::until("it is told", async || sandbox.logs().with_message(&expected).len() == 1).await;
}

#[tokio::test]
async fn a_port_of_the_systems_choice_is_told() {
    let mut sandbox = Sandbox::builder().prepare();
    sandbox.set("/http/port", "0");
    sandbox.spawn();
    let line = "port is unspecified, listening on kernel chosen port";
    wait::until("the port is told", async || !sandbox.logs().with_message(line).is_empty()).await;
    let port = sandbox.logs().with_message(line)[0]["port"].as_u64().unwrap();
    zot_tests::Client::new(&format!("http://127.0.0.1:{port}")).get("/v2/").await.expect(200);
}

#[tokio::test]
async fn a_second_process_on_the_same_root_is_refused_and_the_first_goes_on() {
    let first = Sandbox::start().await;
    let mut second = Sandbox::builder().root(first.root()).prepare();
    second.tolerate_errors("could not serve");
    second.spawn();
    assert_eq!(second.ended().await.code(), Some(1));
    let logs = second.logs();
    assert!(logs.text().contains(first.root().to_str().unwrap()), "{logs}");
    assert!(logs.text().contains("another process"), "{logs}");
    first.client().push_image("a", "latest", &Image::small(1)).await;
    // Neither may the rebuild that would pull the metadata from under it.
    let rebuild = sandbox::run(&["rebuild", first.config_file().to_str().unwrap()]);
    assert_eq!(rebuild.code, Some(1), "{rebuild:?}");
    first.client().get_manifest("a", "latest").await.expect(200);
}

#[tokio::test]
async fn of_many_that_start_at_once_on_a_new_root_exactly_one_serves() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("root");
    let mut all: Vec<Sandbox> = (0..6).map(|_| Sandbox::builder().root(&root).tolerate_errors("could not serve").prepare()).collect();
    all.iter_mut().for_each(Sandbox::spawn);
    let mut serving = 0;
    for sandbox in &mut all {
        let client = sandbox.client();
        let mut is_ready = false;
        wait::until("it serves or has given up", async || {
            is_ready = client.get("/readyz").try_send().await.is_ok_and(|reply| reply.status == 200);
            is_ready || sandbox.logs().text().contains("could not serve")
        })
        .await;
        if is_ready {
            serving += 1;
            client.push_image("a", "latest", &Image::small(1)).await;
        }
    }
    assert_eq!(serving, 1);
}

#[tokio::test]
async fn the_lock_of_a_killed_process_is_free() {
    let mut sandbox = Sandbox::start().await;
    for _ in 0..3 {
        sandbox.kill9();
        sandbox.restart().await;
    }
    sandbox.client().push_image("a", "latest", &Image::small(1)).await;
}

#[tokio::test]
async fn a_taken_port_is_a_clear_failure() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut sandbox = Sandbox::builder().tolerate_errors("could not serve").prepare();
    sandbox.set("/http/port", taken.local_addr().unwrap().port().to_string());
    sandbox.spawn();
    assert_eq!(sandbox.ended().await.code(), Some(1));
    assert!(sandbox.logs().text().contains(&taken.local_addr().unwrap().to_string()), "{}", sandbox.logs());
}

#[tokio::test]
async fn a_root_that_cannot_be_used_is_a_clear_failure() {
    let mut sandbox = Sandbox::builder().tolerate_errors("could not serve").prepare();
    fs::write(sandbox.root(), "a file, no directory").unwrap();
    sandbox.spawn();
    assert_eq!(sandbox.ended().await.code(), Some(1));
    assert!(sandbox.logs().text().contains(sandbox.root().to_str().unwrap()), "{}", sandbox.logs());
}

/// Has `sandbox` adopt a directory in which a manifest cannot be read before somebody writes it to the file that this returns: its start takes as
/// long as the test wants it to.
fn adopts_slowly(sandbox: &Sandbox, image: &Image) -> PathBuf {
    let repository = sandbox.root().join("a");
    let blobs = repository.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let blob = |digest: &str| blobs.join(digest.strip_prefix("sha256:").unwrap());
    image.blobs().for_each(|bytes| fs::write(blob(&digest_of(bytes)), bytes).unwrap());
    let mut entry = image.manifest.descriptor();
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": "latest"});
    fs::write(repository.join("index.json"), json!({"schemaVersion": 2, "manifests": [entry]}).to_string()).unwrap();
    fs::write(repository.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let manifest = blob(&image.digest());
    assert!(Command::new("mkfifo").arg(&manifest).status().unwrap().success());
    manifest
}

async fn reads_layouts(sandbox: &Sandbox) {
    let expected = "starting: reading image layouts, 0 of 1 repositories are read";
    let told = async || sandbox.client().get("/readyz").try_send().await.is_ok_and(|reply| reply.body == expected);
    wait::until("it says what it does", told).await;
}

#[tokio::test]
async fn a_start_that_takes_long_is_told_and_not_taken_for_a_death() {
    let mut sandbox = Sandbox::builder().prepare();
    let image = Image::small(1);
    let manifest = adopts_slowly(&sandbox, &image);
    sandbox.spawn();
    reads_layouts(&sandbox).await;
    let client = sandbox.client();
    client.get("/livez").await.expect(200);
    client.get("/startupz").await.expect(503);
    assert_eq!(client.get("/v2/").await.expect(503).header("retry-after"), "5");
    let ready = sandbox::run(&["ready", sandbox.config_file().to_str().unwrap()]);
    assert_eq!(ready.code, Some(1), "{ready:?}");
    let bytes = image.manifest.bytes.clone();
    tokio::task::spawn_blocking(move || fs::write(manifest, bytes)).await.unwrap().unwrap();
    sandbox.ready().await;
    client.get("/startupz").await.expect(200);
    assert!(client.get_manifest("a", "latest").await.expect(200).body == image.manifest.bytes);
}

#[tokio::test]
async fn a_start_that_takes_long_can_be_ended_and_begun_again() {
    let mut sandbox = Sandbox::builder().set("/http/limits/drainTimeout", "1s").prepare();
    let image = Image::small(1);
    let manifest = adopts_slowly(&sandbox, &image);
    sandbox.spawn();
    reads_layouts(&sandbox).await;
    sandbox.signal(Signal::TERM);
    assert!(sandbox.ended().await.success());
    fs::remove_file(&manifest).unwrap();
    fs::write(manifest, &image.manifest.bytes).unwrap();
    sandbox.spawn();
    sandbox.ready().await;
    sandbox.client().get_manifest("a", "latest").await.expect(200);
}

#[tokio::test]
async fn a_taken_port_is_told_before_anything_is_opened() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut sandbox = Sandbox::builder().tolerate_errors("could not serve").prepare();
    sandbox.set("/http/port", taken.local_addr().unwrap().port().to_string());
    adopts_slowly(&sandbox, &Image::small(1));
    sandbox.spawn();
    assert_eq!(sandbox.ended().await.code(), Some(1));
}
