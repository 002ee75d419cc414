//! Blobs that come as they are, and by gRPC where they cannot.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::{
    io::duplex,
    sync::mpsc,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use zot_contract::{
    BlobBody, Blobs as _, Context, Error, MemoryRegistry, Registry, RequestId, Routed, Subject,
    suite::{Client, content::blob_of},
};
use zot_oci::{ByteRange, Digest};
use zot_proto::{Connection, Dialer, Network, RemoteRegistry, Services, serve_connections};

use crate::{older::Older, scripted::Scripted, wire::Wire};

/// What one end may have sent that the other did not read.
const WINDOW_BYTES: usize = 64 * 1024;

/// A network of pipes to one node, which counts those it made.
struct Pipes {
    accept: mpsc::UnboundedSender<io::Result<Connection>>,
    dialed: AtomicUsize,
}

impl fmt::Debug for Pipes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipes").finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl Network for Pipes {
    async fn connect(&self, _: &str) -> io::Result<Connection> {
        let (near, far) = duplex(WINDOW_BYTES);
        self.dialed.fetch_add(1, Ordering::Relaxed);
        self.accept.send(Ok(Connection::new(far))).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(Connection::new(near))
    }
}

/// A registry behind pipes.
fn piped(registry: Arc<dyn Registry>) -> (RemoteRegistry, Arc<Pipes>) {
    let (accept, mut accepted) = mpsc::unbounded_channel();
    let services = Services { registry, cluster: None };
    let incoming = stream::poll_fn(move |cx| accepted.poll_recv(cx));
    tokio::spawn(serve_connections(incoming, services, || Duration::ZERO, CancellationToken::new()));
    let pipes = Arc::new(Pipes { accept, dialed: AtomicUsize::new(0) });
    (RemoteRegistry::dial(&Dialer::over(pipes.clone()), "node:1").unwrap(), pipes)
}

async fn read(remote: &RemoteRegistry, digest: &Digest, range: Option<ByteRange>) -> Result<Bytes, Error> {
    let body = remote.read_blob(&Context::internal(), &"a".parse().unwrap(), digest, range).await?;
    Ok(body.in_memory().try_collect::<Vec<Bytes>>().await?.concat().into())
}

async fn memory_with(blob: &Bytes) -> (Arc<dyn Registry>, Digest) {
    let memory: Arc<dyn Registry> = Arc::new(MemoryRegistry::default());
    let digest = Client::new(&memory, "a").push_blob(blob.clone()).await;
    (memory, digest)
}

#[tokio::test(start_paused = true)]
async fn one_lane_carries_one_blob_after_the_other() {
    let blob = blob_of(3, 1_000_000);
    let (memory, digest) = memory_with(&blob).await;
    let (remote, pipes) = piped(memory);
    for _ in 0..5 {
        assert_eq!(read(&remote, &digest, None).await.unwrap(), blob);
        let range = ByteRange::new(10, 300_000).unwrap();
        assert_eq!(read(&remote, &digest, Some(range)).await.unwrap(), blob.slice(10..=300_000));
        assert!(matches!(read(&remote, &Digest::sha256(b"absent"), None).await, Err(Error::BlobUnknown { .. })));
    }
    assert_eq!(pipes.dialed.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn readers_at_the_same_time_have_a_lane_each() {
    let blob = blob_of(4, 1_000_000);
    let (memory, digest) = memory_with(&blob).await;
    let (remote, pipes) = piped(memory);
    let all = (0..20).map(|_| read(&remote, &digest, None));
    for whole in futures::future::join_all(all).await {
        assert_eq!(whole.unwrap(), blob);
    }
    assert_eq!(pipes.dialed.load(Ordering::Relaxed), 20);
}

#[tokio::test(start_paused = true)]
async fn a_blob_that_is_given_up_costs_its_lane() {
    let blob = blob_of(5, 1_000_000);
    let (memory, digest) = memory_with(&blob).await;
    let (remote, pipes) = piped(memory);
    for _ in 0..3 {
        let mut body = remote.read_blob(&Context::internal(), &"a".parse().unwrap(), &digest, None).await.unwrap();
        body.stream.next().await.unwrap().unwrap();
    }
    assert_eq!(pipes.dialed.load(Ordering::Relaxed), 3);
    assert_eq!(read(&remote, &digest, None).await.unwrap(), blob);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_waits_for_its_disk_is_waited_for() {
    let slow = stream::iter([Ok(Bytes::from("abc")), Ok("def".into())]).then(|piece| async {
        sleep(Duration::from_secs(20)).await;
        piece
    });
    let (remote, _) = piped(Scripted::reading(BlobBody::new(6, slow.boxed())));
    let start = Instant::now();
    assert_eq!(read(&remote, &Digest::sha256(b""), None).await.unwrap(), "abcdef");
    assert_eq!(start.elapsed().as_secs(), 40);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_waits_for_its_disk_for_ever_is_given_up() {
    let (remote, _) = piped(Scripted::reading(BlobBody::new(6, stream::pending().boxed())));
    let start = Instant::now();
    let overdue = read(&remote, &Digest::sha256(b""), None).await;
    assert!(overdue.as_ref().is_err_and(zot_proto::Unreachable::caused), "{overdue:?}");
    assert_eq!(start.elapsed(), zot_proto::READ_IDLE_MAX);
}

#[tokio::test]
async fn who_asks_and_by_which_view_arrives() {
    let scripted = Arc::new(Scripted::default());
    let wire = Wire::to(scripted.clone()).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap();
    let cx = Context::new(Subject::of_name("ada"), RequestId::new("r1")).traced(Some(trace));
    let cx = cx.routed(Routed { view: 7, failover: true });
    let unscripted = wire.remote.read_blob(&cx, &"a".parse().unwrap(), &Digest::sha256(b""), None).await;
    assert!(matches!(unscripted, Err(Error::Internal(_))), "{unscripted:?}");
    let found = scripted.asked.lock().take().unwrap();
    assert_eq!((found.subject, found.request, found.routed), (cx.subject, cx.request, cx.routed));
    assert_eq!(found.trace, cx.trace);
}

#[tokio::test]
async fn a_node_that_knows_no_lanes_is_asked_for_one_only_now_and_then() {
    let blob = blob_of(6, 1_000_000);
    let (memory, digest) = memory_with(&blob).await;
    let older = Older::start(memory).await;
    let (remote, begun) = (older.remote(), Instant::now());
    for _ in 0..10 {
        assert_eq!(read(&remote, &digest, None).await.unwrap(), blob);
    }
    // Once, and again every ten seconds.
    let most = 1 + usize::try_from(begun.elapsed().as_secs() / 10).unwrap();
    assert!((1..=most).contains(&older.puzzled.load(Ordering::Relaxed)), "in {:?}", begun.elapsed());
}
