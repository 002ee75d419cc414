//! Losing the metadata of a store in S3: `zot rebuild` reads it back from the bucket alone, and only while nobody serves.

use std::{fs, sync::Arc};

use serde_json::json;
use zot_tests::{
    Client, Cluster, Image, Sandbox,
    cluster::Services,
    content,
    sandbox::{self, Builder, Output},
    skip::skip,
};

use crate::{
    rebuild::{push_variety, rebuild},
    registry::contents,
};

/// A line that lets alice in by `pw-alice`, with the least cost.
const ALICE: &str = "alice:$2y$04$4QX9o67odHjqIMEQDgiXM.9tgvuk5ZVS/m.qkaBHMQlF3jdl.4e5.\n";
/// A layer that goes to S3 in several parts, in bytes.
const LARGE_BYTES: usize = 20_000_000;

/// The servers of all tests, or nothing after saying that this one is skipped.
async fn services(test: &str) -> Option<Arc<Services>> {
    match Services::available() {
        Ok(()) => Some(Services::shared().await),
        Err(reason) => {
            skip(&format!("rebuild_remote::{test}"), &reason);
            None
        }
    }
}

/// Lets alice in, and everybody else do everything.
fn with_alice(builder: Builder) -> Builder {
    let file = builder.directory().join("htpasswd");
    fs::write(&file, ALICE).unwrap();
    let everything = json!(["read", "create", "update", "delete"]);
    let builder = builder.set("/http/auth/htpasswd/path", file.to_str().unwrap()).set("/http/auth/apikey", true);
    builder.set("/http/accessControl/repositories/**", json!({"anonymousPolicy": everything, "defaultPolicy": everything}))
}

async fn make_key(client: &Client) -> String {
    let made = client.post("/zot/auth/apikey").basic("alice", "pw-alice").body("{}").await.expect(201).json();
    made["apiKey"].as_str().unwrap().to_owned()
}

fn assert_refused(output: &Output, because: &str) {
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains(because), "{because}: {output:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_table_the_bucket_gives_back_the_same_registry() {
    let Some(services) = services("without_any_table_the_bucket_gives_back_the_same_registry").await else { return };
    let mut sandbox = Sandbox::builder().shared(&services.endpoints()).start().await;
    let client = sandbox.client();
    let untagged = push_variety(&client).await;
    let large = Image::with_layers(20, vec![content::bytes(20, LARGE_BYTES), content::bytes(2, 200_000)]);
    for repository in ["large", "copied"] {
        client.push_image(repository, "latest", &large).await;
    }
    let untagged: Vec<(&str, &str)> = untagged.iter().map(|(name, digest)| (*name, digest.as_str())).collect();
    let before = contents(&client, &untagged).await;
    assert!(sandbox.terminate().await.success());

    let prefix = sandbox.setting("/storage/cacheDriver/versionTablename").trim_end_matches("version").to_owned();
    let dynamodb = services.dynamodb.lock().await;
    let tables = dynamodb.tables(&prefix);
    assert_eq!(tables.len(), 6, "{tables:?}");
    dynamodb.delete_tables(tables.iter().map(String::as_str));
    assert!(dynamodb.tables(&prefix).is_empty());
    let found = rebuild(&sandbox);
    assert_eq!((&found["repositories"], &found["damaged"]), (&json!(5), &json!(0)), "{found}");
    assert_eq!(dynamodb.tables(&prefix), tables);
    drop(dynamodb);

    sandbox.restart().await;
    assert_eq!(contents(&sandbox.client(), &untagged).await, before);
    // And it goes on from there.
    sandbox.client().push_image("apps/web", "v3", &Image::small(11)).await;
    sandbox.client().delete("/v2/apps/web/manifests/v1").await.expect(202);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_tables_what_no_layout_shows_yet_is_kept_and_so_are_users() {
    let Some(services) = services("with_the_tables_what_no_layout_shows_yet_is_kept_and_so_are_users").await else { return };
    let mut sandbox = with_alice(Sandbox::builder()).shared(&services.endpoints()).start().await;
    let client = sandbox.client();
    let key = make_key(&client).await;
    push_variety(&client).await;
    let before = contents(&client, &[]).await;
    let last = ["v1", "v2", "v3"];
    for (seed, tag) in (30..).zip(last) {
        client.push_image("last", tag, &Image::small(seed)).await;
    }
    client.delete("/v2/last/manifests/v2").await.expect(202);
    sandbox.kill9();
    rebuild(&sandbox);
    sandbox.restart().await;
    let client = sandbox.client();
    let mut after = contents(&client, &[]).await;
    let kept = after.remove("last").expect("what was pushed last");
    assert_eq!(kept.tags.keys().collect::<Vec<_>>(), ["v1", "v3"]);
    assert_eq!(after, before);
    client.get("/v2/").basic("alice", &key).await.expect(200);
    client.get("/v2/").basic("alice", "pw-mallory").await.expect(401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_process_that_serves_nothing_is_rebuilt() {
    let Some(services) = services("under_a_process_that_serves_nothing_is_rebuilt").await else { return };
    let sandbox = Sandbox::builder().shared(&services.endpoints()).start().await;
    sandbox.client().push_image("a", "v1", &Image::small(1)).await;
    assert_refused(&sandbox.run("rebuild"), &format!("{} answers, and no process may serve", sandbox.address()));
    assert_eq!(sandbox.client().tags("a").await, ["v1"]);

    let cluster = Cluster::builder().shared(&services.endpoints()).sized(1, 1).start().await;
    cluster.gateways()[0].client().push_image("a", "v1", &Image::small(1)).await;
    let file = cluster.gateways()[0].config_file();
    let refused = sandbox::run(&["rebuild", file.to_str().unwrap()]);
    assert_refused(&refused, &format!("{} answers, and no process may serve", cluster.nodes()[0].address()));
    assert_eq!(cluster.gateways()[0].client().tags("a").await, ["v1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_on_the_disk_beside_a_bucket_is_one_process_s_at_a_time() {
    let Some(services) = services("metadata_on_the_disk_beside_a_bucket_is_one_process_s_at_a_time").await else { return };
    let driver = services.endpoints().storage_driver();
    let mut sandbox = Sandbox::builder().set("/storage/storageDriver", driver.clone()).set("/storage/remoteCache", false).start().await;
    push_variety(&sandbox.client()).await;
    let before = contents(&sandbox.client(), &[]).await;
    // Neither a rebuild at another address nor a second process gets at the file.
    let second = Sandbox::builder().root(sandbox.root()).set("/storage/storageDriver", driver).set("/storage/remoteCache", false);
    let mut second = second.tolerate_errors("in use by another process").prepare();
    assert_refused(&second.run("rebuild"), "is in use by another process");
    second.spawn();
    assert!(!second.ended().await.success());
    assert!(second.logs().text().contains("is in use by another process"));
    assert!(sandbox.terminate().await.success());
    fs::remove_file(sandbox.root().join("metadata.redb")).unwrap();
    rebuild(&sandbox);
    sandbox.restart().await;
    assert_eq!(contents(&sandbox.client(), &[]).await, before);
}
