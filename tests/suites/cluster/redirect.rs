//! Clients that are sent to S3 for blobs (`redirectBlobURL`), by a cluster and by a process that is everything.

use serde_json::json;
use zot_services::wrong_clock;
use zot_tests::{
    Client, Sandbox,
    client::Reply,
    cluster::{Endpoints, Services},
    content, digest_of,
    skip::skip,
    wait,
};

use crate::start::shared;

/// An object under its blob's key, and one of several parts.
const OBJECTS: [usize; 2] = [40_000, 9_000_000];
/// Nothing, and what is kept in rows.
const ROWS: [usize; 2] = [0, 3_000];

async fn get(client: &Client, repository: &str, digest: &str) -> Reply {
    client.get_blob(repository, digest).await
}

/// Whoever wants a whole blob that is an object of its own is sent there; all else is served.
async fn redirects(client: &Client, repository: &str) {
    for length in OBJECTS {
        let bytes = content::bytes(length as u64, length);
        let digest = client.push_blob(repository, &bytes).await;
        let sent = get(client, repository, &digest).await.expect(307);
        assert_eq!((sent.header("docker-content-digest"), sent.body.len()), (digest.as_str(), 0));
        let link = sent.location();
        // The client shows nothing but the link: neither of us knows its credentials.
        assert!(client.get(&link).await.expect(200).body == bytes, "{length} bytes came back different");
        let (unsigned, _) = link.split_once('?').expect("a signed link");
        client.get(unsigned).await.expect(403);
        client.request(http::Method::DELETE, &link).await.expect(403);

        let path = format!("/v2/{repository}/blobs/{digest}");
        let part = client.get(&path).header("range", "bytes=1-3").await.expect(206);
        assert!(part.body == bytes[1..=3]);
        client.get(&path).header("range", "").await.expect(416);
        assert_eq!(client.head(&path).await.expect(200).header("content-length"), length.to_string());
        client.get(&path).header("if-none-match", &format!("\"{digest}\"")).await.expect(304);
        get(client, "somebody/else", &digest).await.expect_error(404, "NAME_UNKNOWN");
    }
    serves(client, repository, &ROWS).await;
}

async fn serves(client: &Client, repository: &str, lengths: &[usize]) {
    for length in lengths {
        let bytes = content::bytes(*length as u64, *length);
        let digest = client.push_blob(repository, &bytes).await;
        assert!(get(client, repository, &digest).await.expect(200).body == bytes, "{length} bytes came back different");
    }
}

/// Servers that all tests share, or nothing after saying that this test is skipped.
async fn endpoints(test: &str) -> Option<Endpoints> {
    match Services::available() {
        Ok(()) => Some(Services::shared().await.endpoints()),
        Err(reason) => {
            skip(test, &reason);
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_sends_clients_to_s3_for_blobs() {
    let Some(builder) = shared().await else { return };
    let cluster = builder.sized(1, 1).set("/storage/redirectBlobURL", true).start().await;
    redirects(&cluster.gateways()[0].client(), "team/app").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_are_good_whatever_the_clock_of_the_process_says() {
    let test = "redirect::links_are_good_whatever_the_clock_of_the_process_says";
    if let Err(reason) = wrong_clock::available() {
        return skip(test, &reason);
    }
    let Some(endpoints) = endpoints(test).await else { return };
    for offset in ["+2h", "-2h"] {
        let builder = Sandbox::builder().set("/storage/storageDriver", endpoints.storage_driver()).set("/storage/remoteCache", false);
        let variables = wrong_clock::variables(offset);
        let builder = variables.iter().fold(builder, |builder, (name, value)| builder.environment(name, value));
        let sandbox = builder.set("/storage/redirectBlobURL", true).start().await;
        redirects(&sandbox.client(), "team/app").await;
        let is_wrong = async || sandbox.logs().text().contains("the clock of S3 is not this machine's");
        wait::until(&format!("the clock is found to be wrong by {offset}"), is_wrong).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_store_of_a_process_sends_clients_to_s3_or_does_not() {
    let Some(endpoints) = endpoints("redirect::each_store_of_a_process_sends_clients_to_s3_or_does_not").await else { return };
    let builder = Sandbox::builder();
    let beside = builder.directory().join("beside");
    let sub_path = json!({
        "rootDirectory": beside, "storageDriver": endpoints.storage_driver(), "remoteCache": false, "dedupe": true, "redirectBlobURL": true,
    });
    let builder = builder.set("/storage/storageDriver", endpoints.storage_driver()).set("/storage/remoteCache", false);
    let sandbox = builder.set("/storage/subPaths", json!({"/direct": sub_path})).start().await;
    let client = sandbox.client();
    redirects(&client, "direct/app").await;
    serves(&client, "other/app", &OBJECTS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_are_sent_to_where_they_reach_s3() {
    let Some(endpoints) = endpoints("redirect::clients_are_sent_to_where_they_reach_s3").await else { return };
    let mut driver = endpoints.storage_driver();
    // The same server under another name, for which alone the signature is good.
    let public = driver["regionendpoint"].as_str().unwrap().replace("127.0.0.1", "localhost");
    driver["redirectendpoint"] = public.as_str().into();
    let builder = Sandbox::builder().set("/storage/storageDriver", driver).set("/storage/remoteCache", false);
    let sandbox = builder.set("/storage/redirectBlobURL", true).start().await;
    let client = sandbox.client();
    let digest = client.push_blob("app", &content::bytes(9, OBJECTS[0])).await;
    let link = get(&client, "app", &digest).await.expect(307).location();
    assert!(link.starts_with(&format!("{public}/")), "{link}");
    client.get(&link.replacen("localhost", "127.0.0.1", 1)).await.expect(403);
    redirects(&client, "app").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_at_hand_is_served() {
    let Some(endpoints) = endpoints("redirect::what_is_at_hand_is_served").await else { return };
    let builder = Sandbox::builder();
    let directory = builder.directory().join("cache");
    let cache = json!({"directory": &directory, "size": "1GiB"});
    let builder = builder.set("/storage/storageDriver", endpoints.storage_driver()).set("/storage/remoteCache", false);
    let mut sandbox = builder.set("/storage/blobCache", cache).start().await;
    let client = sandbox.client();
    let bytes = content::bytes(7, OBJECTS[0]);
    let digest = client.push_blob("app", &bytes).await;
    // Read once without links, it comes into the cache of hot blobs, in the background.
    assert_eq!(get(&client, "app", &digest).await.expect(200).body, bytes);
    wait::until("the blob is cached", async || std::fs::read_dir(directory.join("blobs")).unwrap().next().is_some()).await;
    wait::until("it is there whole", async || std::fs::read_dir(directory.join("fetching")).unwrap().next().is_none()).await;
    let other = client.push_blob("app", &content::bytes(8, OBJECTS[0])).await;
    sandbox.set("/storage/redirectBlobURL", true);
    sandbox.restart().await;
    let client = sandbox.client();
    // What the cache holds is found out in the background.
    wait::until("the cached blob is served", async || get(&client, "app", &digest).await.status == 200).await;
    assert_eq!(get(&client, "app", &digest).await.expect(200).body, bytes);
    assert_eq!(digest_of(&client.get(&get(&client, "app", &other).await.expect(307).location()).await.expect(200).body), other);
}
