//! Keys that users make for their tools: through any gateway, good for what they are made for, and gone when they are revoked.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use zot_tests::{
    Client, Cluster, Image, Registry, Sandbox,
    shapes::{Settings, Shape},
    wait,
};

const PATH: &str = "/zot/auth/apikey";
/// Lines that let in by `pw-` and the name, with the least cost.
const USERS: &str = "alice:$2y$04$4QX9o67odHjqIMEQDgiXM.9tgvuk5ZVS/m.qkaBHMQlF3jdl.4e5.\n\
                     bob:$2y$04$Nts4NuxnoI07k2I9yKFrCu4FDyNiUxpPyENvHXIzYaD7YeBkoPc2q\n";

/// A file of users, in a folder that must live as long as the registry.
fn users() -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("htpasswd");
    fs::write(&file, USERS).unwrap();
    let name = file.to_str().unwrap().to_owned();
    (folder, name)
}

/// Runs a test in both shapes. Behind the front of a cluster each request goes to the next gateway.
async fn in_each(test: impl AsyncFn(&Registry)) {
    for shape in [Shape::AllInOne, Shape::Cluster] {
        let (_folder, file) = users();
        let settings = Settings::of(|settings| settings.set("/http/auth/htpasswd/path", file).set("/http/auth/apikey", true));
        shape.run("api_keys", Some(settings), async |registry| test(&registry).await).await;
    }
}

async fn make(client: &Client, user: &str, wish: Value) -> Value {
    let made = client.post(PATH).basic(user, &format!("pw-{user}")).body(wish.to_string()).await.expect(201);
    made.json()
}

fn text(json: &Value, key: &str) -> String {
    json[key].as_str().unwrap_or_else(|| panic!("no `{key}` in {json}")).to_owned()
}

/// The status of a request with a key.
async fn status(client: &Client, user: &str, key: &str) -> u16 {
    client.get("/v2/").basic(user, key).await.status.as_u16()
}

/// Pushes an image with a key, and gives its first blob.
async fn push(client: &Client, repository: &str, user: &str, key: &str) -> String {
    let image = Image::small(1);
    let mut first = None;
    for blob in image.blobs() {
        let upload = client.post(&format!("/v2/{repository}/blobs/uploads/")).basic(user, key).await.expect(202).location();
        let digest = zot_tests::digest_of(blob);
        client.finish_upload(&upload, &digest, blob).basic(user, key).await.expect(201);
        first.get_or_insert(digest);
    }
    client.put_manifest(repository, "v1", &image.manifest).basic(user, key).await.expect(201);
    first.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_made_through_one_gateway_is_good_at_every_one() {
    in_each(async |registry| {
        let client = registry.client();
        let made = make(&client, "alice", json!({"label": "ci"})).await;
        let (key, id) = (text(&made, "apiKey"), text(&made, "uuid"));
        for _ in 0..6 {
            assert_eq!(status(&client, "alice", &key).await, 200);
            assert_eq!(status(&client, "bob", &key).await, 401);
        }
        push(&client, "team/app", "alice", &key).await;
        client.get_manifest("team/app", "v1").basic("alice", &key).await.expect(200);
        for method in [client.get(PATH), client.post(PATH).body("{}"), client.delete(&format!("{PATH}?id={id}"))] {
            method.basic("alice", &key).await.expect_error(403, "DENIED");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_good_for_its_scopes_alone() {
    in_each(async |registry| {
        let client = registry.client();
        let blob = push(&client, "team/app", "alice", "pw-alice").await;
        push(&client, "other/app", "alice", "pw-alice").await;
        let key = text(&make(&client, "alice", json!({"scopes": ["team/**:read"]})).await, "apiKey");
        client.get_manifest("team/app", "v1").basic("alice", &key).await.expect(200);
        client.get_blob("team/app", &blob).basic("alice", &key).await.expect(200);
        client.get_manifest("other/app", "v1").basic("alice", &key).await.expect_error(403, "DENIED");
        client.get_blob("other/app", &blob).basic("alice", &key).await.expect_error(403, "DENIED");
        client.post("/v2/team/app/blobs/uploads/").basic("alice", &key).await.expect_error(403, "DENIED");
        client.delete("/v2/team/app/manifests/v1").basic("alice", &key).await.expect_error(403, "DENIED");
        let listed = client.get("/v2/_catalog").basic("alice", &key).await.expect(200);
        assert_eq!(listed.list("repositories"), ["team/app"]);
        let mount = format!("/v2/team/app/blobs/uploads/?mount={blob}&from=other/app");
        client.post(&mount).basic("alice", &key).await.expect_error(403, "DENIED");
        let pusher = text(&make(&client, "alice", json!({"scopes": ["repository:team/app:pull,push"]})).await, "apiKey");
        push(&client, "team/app", "alice", &pusher).await;
        client.delete("/v2/team/app/manifests/v1").basic("alice", &pusher).await.expect_error(403, "DENIED");
        client.post("/v2/team/app2/blobs/uploads/").basic("alice", &pusher).await.expect_error(403, "DENIED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_one_user_are_nothing_to_another() {
    in_each(async |registry| {
        let client = registry.client();
        let made = make(&client, "alice", json!({"label": "of alice"})).await;
        let id = text(&made, "uuid");
        let listed = |user: &'static str| async move {
            let client = registry.client();
            client.get(PATH).basic(user, &format!("pw-{user}")).await.expect(200).json()["apiKeys"].clone()
        };
        assert_eq!(listed("bob").await, json!([]));
        client.delete(&format!("{PATH}?id={id}")).basic("bob", "pw-bob").await.expect(404);
        client.get(PATH).await.expect_error(401, "UNAUTHORIZED");
        client.post(PATH).body("{}").await.expect_error(401, "UNAUTHORIZED");
        wait::until("every gateway lists the key", async || {
            let keys = listed("alice").await;
            assert!(!keys.to_string().contains("apiKey\""), "{keys}");
            keys.as_array().is_some_and(|keys| keys.len() == 1 && keys[0]["uuid"] == id.as_str())
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_is_good_for_nothing_a_moment_later() {
    in_each(async |registry| {
        let client = registry.client();
        let made = make(&client, "alice", json!({})).await;
        let (key, id) = (text(&made, "apiKey"), text(&made, "uuid"));
        for _ in 0..4 {
            assert_eq!(status(&client, "alice", &key).await, 200);
        }
        client.delete(&format!("{PATH}?id={id}")).basic("alice", "pw-alice").await.expect(200);
        wait::until("no gateway takes the key", async || {
            let mut taken = 0;
            for _ in 0..4 {
                taken += usize::from(status(&client, "alice", &key).await != 401);
            }
            taken == 0
        })
        .await;
        client.delete(&format!("{PATH}?id={id}")).basic("alice", "pw-alice").await.expect(404);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_ends_when_it_expires() {
    in_each(async |registry| {
        let client = registry.client();
        let past = json!({"expirationDate": "2020-01-02T03:04:05Z"});
        client.post(PATH).basic("alice", "pw-alice").body(past.to_string()).await.expect(400);
        // The form that zot's documentation asks for.
        make(&client, "alice", json!({"expirationDate": "Sat, 02 Jan 2100 03:04:05 +0000"})).await;
        let mut key = String::new();
        wait::until("a key is made that is good for a moment", async || {
            let soon = humantime::format_rfc3339_millis(SystemTime::now() + Duration::from_secs(3)).to_string();
            let made = client.post(PATH).basic("alice", "pw-alice").body(json!({"expirationDate": soon}).to_string()).await;
            // The moment may have passed before the wish arrived.
            if made.status == 400 {
                return false;
            }
            key = text(&made.expect(201).json(), "apiKey");
            true
        })
        .await;
        wait::until("the key has expired", async || status(&client, "alice", &key).await == 401).await;
    })
    .await;
}

#[tokio::test]
async fn keys_outlive_a_killed_process() {
    let (_folder, file) = users();
    let mut sandbox = Sandbox::builder().set("/http/auth/htpasswd/path", file).set("/http/auth/apikey", true).start().await;
    let key = text(&make(&sandbox.client(), "alice", json!({})).await, "apiKey");
    sandbox.kill9();
    sandbox.restart().await;
    assert_eq!(status(&sandbox.client(), "alice", &key).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_outlive_killed_nodes() {
    let (_folder, file) = users();
    let builder = Cluster::builder().set("/http/auth/htpasswd/path", file).set("/http/auth/apikey", true);
    let mut cluster = builder.start().await;
    let key = text(&make(&cluster.gateways()[0].client(), "alice", json!({})).await, "apiKey");
    for number in 0..cluster.nodes().len() {
        cluster.node(number).kill9();
    }
    cluster.start().await;
    for number in 0..cluster.gateways().len() {
        let client = cluster.gateways()[number].client();
        wait::until("the gateway knows the key", async || status(&client, "alice", &key).await == 200).await;
    }
}

#[tokio::test]
async fn keys_end_with_their_user() {
    let (_folder, file) = users();
    let sandbox = Sandbox::builder().set("/http/auth/htpasswd/path", file.as_str()).set("/http/auth/apikey", true).start().await;
    let client = sandbox.client();
    let key = text(&make(&client, "alice", json!({})).await, "apiKey");
    assert_eq!(status(&client, "alice", &key).await, 200);
    fs::write(&file, USERS.replace("alice:", "alicia:")).unwrap();
    wait::until("the key of somebody who is no user any more is refused", async || status(&client, "alice", &key).await == 401).await;
}
