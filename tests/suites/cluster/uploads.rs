//! Uploads that outlive those who took their first bytes.

use bytes::Bytes;
use futures::{Stream, StreamExt as _, future::join_all, stream};
use tokio::{sync::oneshot, task::JoinHandle};
use zot_tests::{
    Client, Cluster, Reply,
    cluster::{Builder, Services},
    content, digest_of,
    sandbox::OUTAGE,
    skip::skip,
    stall::unless_stalled,
    wait,
};

use crate::start::{STALL, repositories, shared, spread, tell};

/// An upload under way.
struct Upload {
    repository: String,
    location: String,
    content: Vec<u8>,
    acknowledged: usize,
}

impl Upload {
    /// Opens an upload and sends the first part of it, which ends amidst a block of the hash.
    async fn begin(client: &Client, repository: &str, length: usize) -> Self {
        let content = content::bytes(length as u64, length);
        let acknowledged = length / 2 + 1;
        let location = client.start_upload(repository).await;
        let location = client.append(&location, 0, &content[..acknowledged]).await.expect(202).location();
        Self { repository: repository.to_owned(), location, content, acknowledged }
    }

    /// Goes on from where it was acknowledged, and reads what came of it.
    async fn finish(self, client: &Client) -> std::time::Duration {
        let status = client.retry(|client| client.get(&self.location)).await;
        let range = status.reply.expect(204).header("range").to_owned();
        assert_eq!(range, format!("0-{}", self.acknowledged - 1), "{}", self.repository);
        let (next, digest) = (self.acknowledged + (self.content.len() - self.acknowledged) / 2, digest_of(&self.content));
        let location =
            client.append(&self.location, self.acknowledged, &self.content[self.acknowledged..next]).await.expect(202).location();
        client.finish_upload(&location, &digest, &self.content[next..]).await.expect(201);
        assert!(client.get_blob(&self.repository, &digest).await.expect(200).body == self.content);
        status.took
    }
}

/// On both sides of every threshold: rows and objects, whole objects and parts.
const LENGTHS: [usize; 4] = [3_000, 40_000, 1_500_000, 13_000_000];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_goes_on_where_it_was_acknowledged_after_its_gateway_and_its_node_died() {
    unless_stalled(STALL, async || {
        let Some(builder) = shared().await else { return };
        let mut cluster = builder.start().await;
        cluster.all_nodes_up().await;
        let first = cluster.gateway(0).client();
        let begun = repositories().into_iter().zip(LENGTHS.into_iter().cycle());
        let uploads = join_all(begun.map(|(repository, length)| {
            let first = first.clone();
            async move { Upload::begin(&first, &repository, length).await }
        }))
        .await;
        // Every node owns some of the repositories: whichever dies, uploads are among what it had.
        cluster.gateway(0).kill9();
        cluster.node(0).kill9();
        let second = cluster.gateway(1).client();
        let gaps = join_all(uploads.into_iter().map(|upload| upload.finish(&second))).await;
        tell(&format!("uploads answered again after the death of their gateway and node: {}", spread(gaps)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_of_an_upload_may_meet_another_gateway() {
    unless_stalled(STALL, async || {
        let Some(builder) = shared().await else { return };
        let cluster = builder.start().await;
        let front = cluster.front().await;
        for (repository, length) in repositories().into_iter().zip(LENGTHS.into_iter().cycle()) {
            Upload::begin(&front.client(), &repository, length).await.finish(&front.client()).await;
        }
    })
    .await;
}

/// A body of twice `half`, of which the second one comes when `released` says so.
fn twice(half: Bytes, released: oneshot::Receiver<()>) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    let second = half.clone();
    let second = async move {
        released.await.ok();
        Ok(second)
    };
    stream::iter([Ok(half)]).chain(stream::once(second))
}

/// Sends a chunk of twice `half`, of which the second one comes when `released` says so.
async fn append_slowly(client: Client, upload: String, half: Bytes, released: oneshot::Receiver<()>) -> Reply {
    client.patch(&upload).header("content-type", "application/octet-stream").stream(twice(half, released)).await
}

/// Waits until a node has begun to take in what `request` sends to an upload of no bytes, and whether it does so. Who looks may himself be in its way.
async fn is_under_way(client: &Client, upload: &str, request: &JoinHandle<Reply>) -> bool {
    // Nobody else may write to it meanwhile.
    let is_busy = async || request.is_finished() || client.append(upload, 7, b"x").await.status == 409;
    wait::until("the upload is being written to", is_busy).await;
    !request.is_finished()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_chunk_that_is_being_sent_when_its_node_dies_goes_to_another_node() {
    let Some(builder) = shared().await else { return };
    let mut cluster = builder.start().await;
    cluster.all_nodes_up().await;
    let client = cluster.gateway(0).client();
    let half = Bytes::from(content::bytes(3, 10_000));
    let (content, mut sending) = ([half.clone(), half.clone()].concat(), Vec::new());
    for repository in repositories() {
        sending.push(loop {
            let upload = client.start_upload(&repository).await;
            let (release, released) = oneshot::channel();
            let request = tokio::spawn(append_slowly(client.clone(), upload.clone(), half.clone(), released));
            if is_under_way(&client, &upload, &request).await {
                break (repository, release, request);
            }
        });
    }
    // Every node owns some of the repositories.
    cluster.node(0).kill9();
    for (repository, release, request) in sending {
        release.send(()).expect("the body waits");
        let location = request.await.expect("the request ends").expect(202).location();
        let digest = digest_of(&content);
        client.finish_upload(&location, &digest, b"").await.expect(201);
        assert!(client.get_blob(&repository, &digest).await.expect(200).body == content);
    }
}

/// Servers of its own: others have uploads under way in those that all tests share.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_redis_forgot_is_unknown_whenever_it_forgot_it() {
    if let Err(reason) = Services::available() {
        return skip("uploads::an_upload_that_redis_forgot_is_unknown_whenever_it_forgot_it", &reason);
    }
    let services = Services::start().await;
    let builder = Cluster::builder().sized(1, 1).shared(&services.endpoints());
    let cluster = OUTAGE.into_iter().fold(builder, Builder::tolerate_errors).start().await;
    let client = cluster.gateways()[0].client();

    // Between two requests.
    let upload = client.start_upload("app").await;
    services.redis.lock().await.restart().await;
    client.append(&upload, 0, b"abc").await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");

    // During one.
    let half = Bytes::from(content::bytes(1, 100_000));
    let upload = client.start_upload("app").await;
    let (append, release) = loop {
        let (release, released) = oneshot::channel();
        let append = tokio::spawn(append_slowly(client.clone(), upload.clone(), half.clone(), released));
        if is_under_way(&client, &upload, &append).await {
            break (append, release);
        }
    };
    services.redis.lock().await.restart().await;
    release.send(()).expect("the body waits");
    append.await.expect("the request ends").expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    client.get(&upload).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");

    // During one whose client never heard of an upload: it is told to send the same again.
    let (digest, (release, released)) = (digest_of(&[half.clone(), half.clone()].concat()), oneshot::channel());
    let push = tokio::spawn({
        let (client, path) = (client.clone(), format!("/v2/app/blobs/uploads/?digest={digest}"));
        async move { client.post(&path).header("content-type", "application/octet-stream").stream(twice(half, released)).await }
    });
    wait::until("the upload has a session", async || services.redis.lock().await.keys().len() == 1).await;
    services.redis.lock().await.restart().await;
    release.send(()).expect("the body waits");
    let refused = push.await.expect("the request ends");
    assert_eq!(refused.header("retry-after"), "1");
    refused.expect_error(503, "UNAVAILABLE");

    // Away is not lost: what the node has in its memory goes on.
    let upload = client.start_upload("app").await;
    services.redis.lock().await.kill();
    let upload = client.append(&upload, 0, b"abc").await.expect(202).location();
    services.redis.lock().await.restart().await;
    client.finish_upload(&upload, &digest_of(b"abcd"), b"d").await.expect(201);

    // And a client that starts over succeeds.
    let bytes = content::bytes(2, 40_000);
    let digest = client.push_blob("app", &bytes).await;
    assert_eq!(client.get_blob("app", &digest).await.expect(200).body, bytes);
}
