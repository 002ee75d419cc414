//! What goes wrong on a lane, in a time that does not pass by itself.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use zot_contract::{BlobBody, Context, Error, Fetched, MemoryRegistry, Registry, Result, suite::Client};
use zot_oci::Digest;

use super::{
    Lanes,
    frame::{Kind, MAGIC},
};
use crate::{Connection, Dialer, Network, Services, Stopped, Unreachable, serve_connections, v1};

/// What one end may have sent that the other did not read.
const WINDOW_BYTES: usize = 64 * 1024;

/// What the far end does with each connection.
type Act = Box<dyn Fn(usize, DuplexStream) -> JoinHandle<()> + Send + Sync>;

/// A network with one node, which behaves as a test says.
struct Acted {
    act: Act,
    dialed: AtomicUsize,
}

impl fmt::Debug for Acted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acted").finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl Network for Acted {
    async fn connect(&self, _: &str) -> io::Result<Connection> {
        let (near, far) = duplex(WINDOW_BYTES);
        (self.act)(self.dialed.fetch_add(1, Ordering::Relaxed), far);
        Ok(Connection::new(near))
    }
}

/// The lanes to a node that does with each connection what `act` says, once the first request came.
fn lanes<F>(act: impl Fn(usize, Far) -> F + Copy + Send + Sync + 'static) -> (Lanes, Arc<Acted>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let act: Act = Box::new(move |number, io| {
        tokio::spawn(async move {
            let mut far = Far(io);
            far.0.read_exact(&mut [0; MAGIC.len()]).await.unwrap();
            far.request().await;
            act(number, far).await;
        })
    });
    let network = Arc::new(Acted { act, dialed: AtomicUsize::new(0) });
    let destination = Dialer::over(network.clone()).destination("node:1").unwrap();
    (Lanes::new(destination), network)
}

/// The end of a lane that is asked.
struct Far(DuplexStream);

impl Far {
    async fn request(&mut self) -> Vec<u8> {
        assert_eq!(self.0.read_u8().await.unwrap(), Kind::Request as u8);
        let mut request = vec![0; self.0.read_u32().await.unwrap() as usize];
        self.0.read_exact(&mut request).await.unwrap();
        request
    }

    async fn greet(&mut self) {
        self.0.write_all(MAGIC).await.unwrap();
    }

    async fn say(&mut self, kind: Kind, content: &[u8]) {
        let mut bytes = BytesMut::new();
        kind.put(content.len() as u32, &mut bytes);
        bytes.extend_from_slice(content);
        self.0.write_all(&bytes).await.unwrap();
    }

    async fn header(&mut self, size: u64) {
        self.say(Kind::Header, &v1::ReadBlobHeader { size }.encode_to_vec()).await;
    }

    /// Waits until the other end closes.
    async fn closed(mut self) {
        while self.0.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
    }
}

fn question() -> v1::ReadBlobRequest {
    let context = Some((&Context::internal()).into());
    v1::ReadBlobRequest { context, repository: "a".to_owned(), digest: Digest::sha256(b"").to_string(), range: None, elsewhere: false }
}

fn here(fetched: Fetched) -> BlobBody {
    match fetched {
        Fetched::Here(body) => body,
        Fetched::Elsewhere(url) => panic!("{url:?}"),
    }
}

async fn read(lanes: &Lanes) -> Result<Vec<u8>> {
    let body = here(lanes.read_blob(&question()).await.expect("a lane")?);
    Ok(body.in_memory().try_collect::<Vec<Bytes>>().await?.concat())
}

fn assert_unreachable<T: fmt::Debug>(answer: &Result<T>) {
    assert!(answer.as_ref().is_err_and(Unreachable::caused), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_says_nothing_is_given_up_as_one_that_answers_no_pings() {
    for greets in [false, true] {
        let (lanes, _) = lanes(move |_, mut far| async move {
            if greets {
                far.greet().await;
            }
            far.closed().await;
        });
        let start = Instant::now();
        assert_unreachable(&read(&lanes).await);
        assert!((2900..3100).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_falls_silent_within_a_blob_is_given_up() {
    let (lanes, _) = lanes(|_, mut far| async move {
        far.greet().await;
        far.header(10).await;
        far.say(Kind::Data, b"abc").await;
        far.closed().await;
    });
    let body = here(lanes.read_blob(&question()).await.unwrap().unwrap());
    assert_eq!(body.size, 10);
    let mut bytes = body.in_memory();
    assert_eq!(bytes.next().await.unwrap().unwrap(), "abc");
    assert_unreachable(&bytes.next().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_alive_is_waited_for_but_not_for_ever() {
    let (lanes, _) = lanes(|_, mut far| async move {
        far.greet().await;
        for _ in 0..50 {
            sleep(Duration::from_secs(1)).await;
            far.say(Kind::Alive, b"").await;
        }
        far.header(3).await;
        while far.0.write_all(&[Kind::Alive as u8, 0, 0, 0, 0]).await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    });
    let body = here(lanes.read_blob(&question()).await.unwrap().unwrap());
    let start = Instant::now();
    assert_unreachable(&body.stream.try_collect::<Vec<_>>().await);
    assert_eq!(start.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_transfer_that_breaks_off_is_an_error_wherever_it_does() {
    let (lanes, network) = lanes(|number, mut far| async move {
        far.greet().await;
        if number > 0 {
            far.header(6).await;
        }
        match number {
            2 => far.say(Kind::Data, b"abc").await,
            3 => far.0.write_all(&[Kind::Data as u8, 0, 0, 0, 6, b'a']).await.unwrap(),
            4 => far.say(Kind::Data, b"abcdef").await,
            5 => far.say(Kind::End, b"").await,
            _ => {}
        }
    });
    for dialed in 1..=6 {
        assert_unreachable(&read(&lanes).await);
        assert_eq!(network.dialed.load(Ordering::Relaxed), dialed, "a lane that broke off is not used again");
    }
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_a_fault() {
    let (lanes, network) = lanes(|number, mut far| async move {
        far.greet().await;
        match number {
            0 => far.say(Kind::Data, b"abc").await,
            1 => far.say(Kind::Header, &[0xff]).await,
            2 => far.0.write_all(b"HTTP/1.1 400 Bad Request").await.unwrap(),
            3 => far.say(Kind::Refused, &[0xff]).await,
            number => {
                far.header(3).await;
                let (kind, content) = [(Kind::Data, &b"abcd"[..]), (Kind::Request, b""), (Kind::Header, b"")][number - 4];
                far.say(kind, content).await;
            }
        }
        far.closed().await;
    });
    for dialed in 1..=7 {
        let answer = read(&lanes).await;
        assert!(matches!(answer, Err(Error::Internal(_))), "{answer:?}");
        assert_eq!(network.dialed.load(Ordering::Relaxed), dialed, "nobody knows what comes next on that lane");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_was_closed_while_it_rested_is_replaced() {
    let (lanes, network) = lanes(|number, mut far| async move {
        far.greet().await;
        far.header(3).await;
        far.say(Kind::Data, b"abc").await;
        far.say(Kind::End, b"").await;
        if number == 0 {
            // It closes only after it was asked: from outside it looked well.
            far.request().await;
        }
    });
    for _ in 0..3 {
        assert_eq!(read(&lanes).await.unwrap(), b"abc");
    }
    assert_eq!(network.dialed.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn who_knows_no_lanes_is_left_alone_for_a_while() {
    let (lanes, network) = lanes(|number, mut far| async move {
        match number {
            // As HTTP/2 begins, and ends when it hears nothing it knows.
            0 => far.0.write_all(&[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 16, 0, 0]).await.unwrap(),
            1 => {}
            _ => {
                far.greet().await;
                far.header(0).await;
                far.say(Kind::End, b"").await;
            }
        }
    });
    for dialed in [1, 1, 2, 2] {
        assert!(lanes.read_blob(&question()).await.is_none());
        assert_eq!(network.dialed.load(Ordering::Relaxed), dialed);
        sleep(Duration::from_secs(6)).await;
    }
    assert_eq!(read(&lanes).await.unwrap(), b"");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_fits_no_frame_goes_by_grpc() {
    let (lanes, network) = lanes(|_, far| far.closed());
    let asked = v1::ReadBlobRequest { repository: "a".repeat(64 * 1024), ..question() };
    assert!(lanes.read_blob(&asked).await.is_none());
    assert_eq!(network.dialed.load(Ordering::Relaxed), 0);
}

/// A node as it is, with connections that tests make.
struct Node {
    connections: mpsc::UnboundedSender<io::Result<Connection>>,
    stop: CancellationToken,
    task: JoinHandle<Stopped>,
}

impl Node {
    fn start(registry: Arc<dyn Registry>) -> Self {
        let (connections, mut incoming) = mpsc::unbounded_channel();
        let (stop, services) = (CancellationToken::new(), Services { registry, cluster: None });
        let incoming = stream::poll_fn(move |cx| incoming.poll_recv(cx));
        let serving = serve_connections(incoming, services, || Duration::from_secs(60), stop.clone());
        Self { connections, stop, task: tokio::spawn(async { serving.await.unwrap() }) }
    }

    fn connect(&self) -> DuplexStream {
        let (near, far) = duplex(WINDOW_BYTES);
        self.connections.send(Ok(Connection::new(far))).unwrap();
        near
    }

    /// A lane that has begun.
    async fn lane(&self) -> DuplexStream {
        let mut lane = self.connect();
        lane.write_all(MAGIC).await.unwrap();
        let mut greeting = [0; MAGIC.len()];
        lane.read_exact(&mut greeting).await.unwrap();
        assert_eq!(&greeting, MAGIC);
        lane
    }
}

async fn ask(lane: &mut DuplexStream, digest: &str) {
    let asked = v1::ReadBlobRequest { digest: digest.to_owned(), ..question() };
    let mut bytes = BytesMut::new();
    Kind::Request.put_message(&v1::LaneRequest { kind: Some(v1::lane_request::Kind::ReadBlob(asked)) }, &mut bytes);
    lane.write_all(&bytes).await.unwrap();
}

/// The next frame.
async fn heard(lane: &mut DuplexStream) -> (u8, Vec<u8>) {
    let kind = lane.read_u8().await.unwrap();
    let mut content = vec![0; lane.read_u32().await.unwrap() as usize];
    lane.read_exact(&mut content).await.unwrap();
    (kind, content)
}

/// How long it takes until the node closes.
async fn closed(lane: &mut DuplexStream) -> Duration {
    let start = Instant::now();
    assert!(!lane.read(&mut [0]).await.is_ok_and(|read| read > 0));
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn what_is_no_beginning_is_closed_and_holds_up_nobody() {
    let memory: Arc<dyn Registry> = Arc::new(MemoryRegistry::default());
    let digest = Client::new(&memory, "a").push_blob(Bytes::from("abc")).await;
    let node = Node::start(memory);
    let mut silent: Vec<_> = (0..300).map(|_| node.connect()).collect();
    let mut slow = node.connect();
    slow.write_all(&MAGIC[..3]).await.unwrap();
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"zotlane9", &[0; 64], b"PRI * HTTP/2.0\r\n\r\nxx\r\n\r\n"] {
        let mut connection = node.connect();
        connection.write_all(garbage).await.unwrap();
        while connection.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
    }
    let mut lane = node.lane().await;
    ask(&mut lane, &digest.to_string()).await;
    assert_eq!(heard(&mut lane).await.0, Kind::Header as u8);
    assert_eq!(heard(&mut lane).await, (Kind::Data as u8, b"abc".to_vec()));
    assert_eq!(heard(&mut lane).await, (Kind::End as u8, Vec::new()));
    for connection in silent.iter_mut().chain([&mut slow]) {
        assert!(closed(connection).await <= Duration::from_secs(5));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_does_not_keep_to_its_language_is_closed() {
    let node = Node::start(Arc::new(MemoryRegistry::default()));
    for garbage in [&[9, 0, 0, 0, 0][..], &[Kind::Request as u8, 255, 255, 255, 255], &[Kind::Data as u8, 0, 0, 0, 1, 0]] {
        let mut lane = node.lane().await;
        lane.write_all(garbage).await.unwrap();
        assert!(closed(&mut lane).await.is_zero(), "{garbage:?}");
    }
    let mut lane = node.lane().await;
    lane.write_all(&[Kind::Request as u8, 0, 0]).await.unwrap();
    assert_eq!(closed(&mut lane).await.as_secs(), 5, "a request that does not come to its end");
    let mut lane = node.lane().await;
    assert_eq!(closed(&mut lane).await.as_secs(), 60, "no request");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_makes_no_sense_is_refused_and_the_lane_goes_on() {
    let node = Node::start(Arc::new(MemoryRegistry::default()));
    let mut lane = node.lane().await;
    for digest in ["not a digest".to_owned(), Digest::sha256(b"absent").to_string()] {
        ask(&mut lane, &digest).await;
        let (kind, content) = heard(&mut lane).await;
        assert_eq!(kind, Kind::Refused as u8);
        let details = v1::Details::decode(&content[..]).unwrap();
        assert_eq!(details.details.is_empty(), digest == "not a digest", "{details:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stops_closes_the_lanes_that_rest() {
    let node = Node::start(Arc::new(MemoryRegistry::default()));
    let mut lanes = [node.lane().await, node.lane().await];
    ask(&mut lanes[0], &Digest::sha256(b"absent").to_string()).await;
    assert_eq!(heard(&mut lanes[0]).await.0, Kind::Refused as u8);
    node.stop.cancel();
    for lane in &mut lanes {
        assert!(closed(lane).await.is_zero());
    }
    assert_eq!(node.task.await.unwrap(), Stopped::Drained);
}
