//! What a caller sees when the other process is slow, faulty or gone.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, future::join_all, stream};
use tokio::{
    net::TcpStream,
    runtime::{Builder, Runtime},
    sync::oneshot,
    time::timeout,
};
use zot_contract::{
    BlobBody, Blobs as _, Catalog as _, Chunk, Context, Error, ManifestPush, Manifests as _, MemoryRegistry, PageRequest, Registry,
    suite::{Client, body},
};
use zot_oci::Digest;
use zot_proto::Stopped;

use crate::{
    scripted::Scripted,
    wire::{Server, Wire},
};

/// A test that takes longer hangs. Generous, because nothing here measures speed.
const HANG: Duration = Duration::from_secs(60);

fn assert_unavailable<T: std::fmt::Debug>(answer: Result<T, Error>) {
    match answer {
        Err(Error::Unavailable { what: "storage node", retry_after, .. }) => assert!(!retry_after.is_zero()),
        other => panic!("expected the node to be unavailable, found {other:?}"),
    }
}

#[tokio::test]
async fn what_is_not_answered_is_given_up_at_both_ends() {
    let (silent, given_up) = Scripted::silent();
    let wire = Wire::to(silent).await;
    let remote = wire.remote.clone().with_deadline(Duration::from_millis(50));
    let (cx, repository) = (Context::internal(), "a".parse().unwrap());
    assert_unavailable(timeout(HANG, remote.stat_blob(&cx, &repository, &Digest::sha256(b""))).await.unwrap());
    timeout(HANG, given_up).await.unwrap().unwrap_err();
}

#[tokio::test]
async fn a_fault_of_the_other_process_costs_one_call() {
    let wire = Wire::to(Arc::new(Scripted::default())).await;
    let (cx, repository) = (Context::internal(), "a".parse().unwrap());
    assert_unavailable(wire.remote.mount_blob(&cx, &repository, &Digest::sha256(b""), None).await);
    assert!(wire.remote.list_referrers(&cx, &repository, &Digest::sha256(b""), &PageRequest::first(1)).await.is_ok());
}

#[tokio::test]
async fn a_manifest_that_fits_no_message_is_refused_before_it_is_sent() {
    let wire = Wire::to(Arc::new(MemoryRegistry::default())).await;
    let bytes = Bytes::from(vec![b' '; zot_proto::MANIFEST_BYTES_MAX + 1]);
    let media_type = "application/vnd.oci.image.manifest.v1+json".parse().unwrap();
    let push = ManifestPush { digest: Digest::sha256(b""), tags: Vec::new(), media_type, bytes };
    let refused = wire.remote.put_manifest(&Context::internal(), &"a".parse().unwrap(), push).await;
    assert!(matches!(refused, Err(Error::ManifestInvalid { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_server_that_stops_answers_what_it_was_asked_and_takes_no_more() {
    let (sender, pieces) = futures::channel::mpsc::unbounded();
    let server = Server::start(Scripted::reading(BlobBody::new(6, pieces.boxed())), 0).await;
    let (remote, cx, page) = (server.remote(), Context::internal(), PageRequest::first(1));
    let body = remote.read_blob(&cx, &"a".parse().unwrap(), &Digest::sha256(b""), None).await.unwrap();
    sender.unbounded_send(Ok("abc".into())).unwrap();
    server.stop.cancel();
    while !matches!(remote.list_repositories(&cx, &page).await, Err(Error::Unavailable { .. })) {}
    // Whoever comes later learns so at once.
    let refused = async { while TcpStream::connect(&server.address).await.is_ok() {} };
    timeout(HANG, refused).await.unwrap();
    sender.unbounded_send(Ok("def".into())).unwrap();
    drop(sender);
    assert_eq!(timeout(HANG, body.in_memory().try_collect::<Vec<Bytes>>()).await.unwrap().unwrap().concat(), b"abcdef");
    assert_eq!(timeout(HANG, server.stopped()).await.unwrap(), Stopped::Drained);
}

#[tokio::test]
async fn callers_go_over_to_the_server_that_takes_the_place_of_one_that_stops() {
    let registry: Arc<dyn Registry> = Arc::new(MemoryRegistry::default());
    let first = Server::start(registry.clone(), 0).await;
    let (remote, port, cx, page) = (first.remote(), first.port(), Context::internal(), PageRequest::first(1));
    remote.list_repositories(&cx, &page).await.unwrap();
    first.stop.cancel();
    assert_eq!(timeout(HANG, first.stopped()).await.unwrap(), Stopped::Drained);
    let _second = Server::start(registry, port).await;
    let answered = async { while remote.list_repositories(&cx, &page).await.is_err() {} };
    timeout(HANG, answered).await.unwrap();
}

/// A server that can be killed as a process is: everything that it runs ends at once, wherever it was.
struct Process {
    runtime: Runtime,
    server: Server,
}

impl Process {
    async fn start(registry: Arc<dyn Registry>, port: u16) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.spawn(Server::start(registry, port)).await.unwrap();
        Self { runtime, server }
    }

    /// Stops until what is returned is dropped, as a process whose machine has too much to do.
    async fn hold_up(&self) -> mpsc::Sender<()> {
        let (release, held) = mpsc::channel();
        let (holds, holding) = oneshot::channel();
        self.runtime.spawn(async move {
            holds.send(()).unwrap();
            held.recv().unwrap_err();
        });
        holding.await.unwrap();
        release
    }

    fn kill(self) {
        // It must not be waited for within the test's own runtime.
        self.runtime.shutdown_background();
    }
}

/// Runs a test beside its processes.
fn run(test: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { timeout(HANG, test).await.unwrap() });
}

#[test]
fn a_server_that_comes_back_is_found_again() {
    let registry = Arc::new(MemoryRegistry::default());
    run(async move {
        let process = Process::start(registry.clone(), 0).await;
        let (remote, port) = (process.server.remote(), process.server.port());
        let (cx, page) = (Context::internal(), PageRequest::first(1));
        remote.list_repositories(&cx, &page).await.unwrap();
        process.kill();
        while remote.list_repositories(&cx, &page).await.is_ok() {}
        assert_unavailable(remote.list_repositories(&cx, &page).await);
        let process = Process::start(registry, port).await;
        while remote.list_repositories(&cx, &page).await.is_err() {}
        process.kill();
    });
}

#[test]
fn calls_that_are_given_up_before_they_are_heard_end_no_others() {
    run(async {
        let process = Process::start(Arc::new(MemoryRegistry::default()), 0).await;
        let (remote, cx, page) = (process.server.remote(), Context::internal(), PageRequest::first(1));
        remote.list_repositories(&cx, &page).await.unwrap();
        let release = process.hold_up().await;
        let patient = remote.list_repositories(&cx, &page);
        let impatient = join_all((0..500).map(|_| timeout(Duration::from_millis(10), remote.list_repositories(&cx, &page))));
        let release = async {
            assert!(impatient.await.iter().all(Result::is_err));
            // What says that they were given up is on its way then.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            drop(release);
        };
        let (answered, ()) = tokio::join!(patient, release);
        answered.unwrap();
        process.kill();
    });
}

#[test]
fn a_blob_of_a_server_that_dies_is_an_error() {
    let stream = stream::iter([Ok(Bytes::from("abc"))]).chain(stream::pending()).boxed();
    run(async move {
        let process = Process::start(Scripted::reading(BlobBody::new(10, stream)), 0).await;
        let remote = process.server.remote();
        let body = remote.read_blob(&Context::internal(), &"a".parse().unwrap(), &Digest::sha256(b""), None).await.unwrap();
        let mut stream = body.in_memory();
        assert_eq!(stream.next().await.unwrap().unwrap(), "abc");
        process.kill();
        assert_unavailable(stream.try_collect::<Vec<Bytes>>().await);
    });
}

#[test]
fn an_upload_to_a_server_that_dies_keeps_what_arrived() {
    let registry = Arc::new(MemoryRegistry::default());
    run(async move {
        let process = Process::start(registry.clone(), 0).await;
        let remote: Arc<dyn Registry> = Arc::new(process.server.remote());
        let (theirs, ours) = (Client::new(&remote, "a"), Client::new(&(registry as Arc<dyn Registry>), "a"));
        let upload = theirs.open().await;
        let (chunk, _hold) = body::held("abc".into(), Bytes::new());
        let append = tokio::spawn(async move { theirs.append(upload, chunk).await });
        while ours.status(upload).await.unwrap() != 3 {
            tokio::task::yield_now().await;
        }
        process.kill();
        assert_unavailable(append.await.unwrap());
        while ours.append(upload, Chunk::of("def").at(3)).await.is_err() {
            tokio::task::yield_now().await;
        }
    });
}
