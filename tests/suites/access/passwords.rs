//! Users of an htpasswd file.

use std::{fs, path::Path};

use futures::FutureExt as _;
use tempfile::TempDir;
use zot_tests::{
    Image, Registry, Sandbox,
    shapes::{Settings, Shape},
    wait,
};

/// Lines that let in by `pw-` and the name, with the least cost.
const ALICE: &str = "alice:$2y$04$4QX9o67odHjqIMEQDgiXM.9tgvuk5ZVS/m.qkaBHMQlF3jdl.4e5.\n";
const BOB: &str = "bob:$2y$04$Nts4NuxnoI07k2I9yKFrCu4FDyNiUxpPyENvHXIzYaD7YeBkoPc2q\n";

/// Runs a test in both shapes, with a file of its own that lets alice in.
async fn in_each(change: impl Fn(Settings) -> Settings, test: impl AsyncFn(&Registry, &Path)) {
    for shape in [Shape::AllInOne, Shape::Cluster] {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("htpasswd");
        fs::write(&file, ALICE).unwrap();
        let settings = Settings::of(|settings| change(settings.set("/http/auth/htpasswd/path", file.to_str().unwrap())));
        shape.run("htpasswd", Some(settings), async |registry| test(&registry, &file).await).await;
    }
}

/// The status that alice or somebody else gets.
async fn status(registry: &Registry, user: &str, password: &str) -> u16 {
    registry.client().get("/v2/").basic(user, password).await.status.as_u16()
}

/// Waits until every gateway answers so: behind the front they take turns.
async fn until(registry: &Registry, user: &str, expected: u16) {
    let password = format!("pw-{user}");
    wait::until("every gateway has read the file", async || {
        for _ in 0..6 {
            if status(registry, user, &password).await != expected {
                return false;
            }
        }
        true
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_in_the_file_pushes_and_pulls_and_nobody_else() {
    in_each(
        |settings| settings,
        async |registry, _| {
            let client = registry.client();
            let refused = client.get("/v2/").await.expect_error(401, "UNAUTHORIZED");
            assert!(refused.header("www-authenticate").starts_with("Basic realm="), "{refused:?}");
            for (user, password) in [("alice", "wrong"), ("alice", ""), ("", "pw-alice"), ("bob", "pw-bob"), ("mallory", "pw-alice")] {
                let refused = client.get("/v2/").basic(user, password).await.expect_error(401, "UNAUTHORIZED");
                assert!(refused.header("www-authenticate").starts_with("Basic realm="), "{refused:?}");
            }
            client.post("/v2/a/blobs/uploads/").await.expect(401);
            client.post("/v2/a/blobs/uploads/").basic("alice", "wrong").await.expect(401);
            let image = Image::small(1);
            for blob in image.blobs() {
                let upload = client.post("/v2/a/blobs/uploads/").basic("alice", "pw-alice").await.expect(202).location();
                let digest = zot_tests::digest_of(blob);
                client.finish_upload(&upload, &digest, blob).basic("alice", "pw-alice").await.expect(201);
                client.get_blob("a", &digest).basic("alice", "pw-alice").await.expect(200);
                client.get_blob("a", &digest).await.expect(401);
            }
            client.put_manifest("a", "v1", &image.manifest).await.expect(401);
            client.put_manifest("a", "v1", &image.manifest).basic("alice", "pw-alice").await.expect(201);
            client.get_manifest("a", "v1").basic("alice", "pw-alice").await.expect(200);
            client.get_manifest("a", "v1").basic("alice", "wrong").await.expect(401);
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_file_lets_the_new_ones_in_and_the_old_ones_out() {
    in_each(
        |settings| settings,
        async |registry, file| {
            until(registry, "alice", 200).await;
            fs::write(file, format!("{ALICE}{BOB}")).unwrap();
            until(registry, "bob", 200).await;
            assert_eq!(status(registry, "alice", "pw-alice").await, 200);
            let other = file.with_extension("new");
            fs::write(&other, BOB).unwrap();
            fs::rename(&other, file).unwrap();
            until(registry, "alice", 401).await;
            assert_eq!(status(registry, "bob", "pw-bob").await, 200);
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_passwords_wait_for_their_refusal_and_nobody_else_does() {
    in_each(
        |settings| settings.set("/http/auth/failDelay", 20),
        async |registry, _| {
            let client = registry.client();
            let mut guess = Box::pin(async { client.get("/v2/").basic("alice", "wrong").await });
            let others = async {
                registry.client().get("/v2/").await.expect(401);
                assert_eq!(status(registry, "alice", "pw-alice").await, 200);
            };
            tokio::select! {
                _ = &mut guess => panic!("the guess was answered first"),
                () = others => {}
            }
            assert!(guess.as_mut().now_or_never().is_none());
        },
    )
    .await;
}

#[tokio::test]
async fn a_refusal_that_is_held_back_does_not_hold_up_the_end() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("htpasswd");
    fs::write(&file, ALICE).unwrap();
    let builder = Sandbox::builder().set("/http/auth/htpasswd/path", file.to_str().unwrap());
    let mut sandbox = builder.set("/http/auth/failDelay", 60).set("/http/limits/drainTimeout", "100s").start().await;
    let client = sandbox.client();
    let guess = tokio::spawn(async move { client.get("/v2/").basic("alice", "wrong").await.status.as_u16() });
    let client = sandbox.client();
    // Nothing tells that the guess has arrived but that whatever comes after it is answered.
    client.get("/v2/").basic("alice", "pw-alice").await.expect(200);
    let begun = std::time::Instant::now();
    assert!(sandbox.terminate().await.success());
    assert!(begun.elapsed().as_secs() < 50, "{:?}", begun.elapsed());
    let _ = guess.await;
}

#[tokio::test]
async fn neither_passwords_nor_hashes_are_in_the_log() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("htpasswd");
    fs::write(&file, format!("{ALICE}canary-line\neve:canary-hash\n")).unwrap();
    let builder = Sandbox::builder().set("/http/auth/htpasswd/path", file.to_str().unwrap());
    let sandbox = builder.set("/log/level", "debug").start().await;
    let client = sandbox.client();
    client.get("/v2/").basic("alice", "pw-alice").await.expect(200);
    client.get("/v2/").basic("alice", "canary-password").await.expect(401);
    client.get("/v2/").basic("eve", "canary-password").await.expect(401);
    // What is logged is written by a thread of its own.
    wait::until("both refusals were logged", async || sandbox.logs().text().matches("\"statusCode\":401").count() == 2).await;
    let log = sandbox.logs();
    for secret in ["canary", "pw-alice", "$2", "cHctYWxpY2", "Y2FuYXJ5"] {
        assert!(!log.text().contains(secret), "{secret}");
    }
    let told: Vec<_> = log.lines().filter(|line| line["path"] == file.to_str().unwrap()).map(|line| line["line"].clone()).collect();
    assert_eq!(told, [2, 3], "each wrong line is told of once");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("missing");
    let config = serde_json::json!({
        "storage": {"rootDirectory": folder.path().join("root"), "gc": false},
        "http": {"address": "127.0.0.1", "port": "0", "auth": {"htpasswd": {"path": file}}},
    });
    let path = folder.path().join("config.json");
    fs::write(&path, config.to_string()).unwrap();
    for command in ["verify", "serve"] {
        let output = zot_tests::sandbox::run(&[command, path.to_str().unwrap()]);
        assert_eq!(output.code, Some(1), "{command}: {output:?}");
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(said.contains(file.to_str().unwrap()), "{command}: {output:?}");
    }
}
