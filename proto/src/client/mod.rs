//! A registry in another process.

mod blobs;
mod catalog;
mod cluster;
mod manifests;
mod peers;
mod uploads;
mod users;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::timeout;
use tonic::{Request, Response, transport::Channel};
use zot_contract::Error;

use crate::{
    Dialer, InvalidAddress, MESSAGE_BYTES_MAX,
    lanes::Lanes,
    status::{self, Answer, Unreachable},
    v1::{
        self, blob_service_client::BlobServiceClient, catalog_service_client::CatalogServiceClient,
        cluster_service_client::ClusterServiceClient, manifest_service_client::ManifestServiceClient,
        upload_service_client::UploadServiceClient, user_service_client::UserServiceClient,
    },
};

pub use cluster::ClusterClient;
pub use peers::{PeerError, PeerTransport};

/// How long a call without a stream may take, unless [`RemoteRegistry::with_deadline`] says otherwise.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// How long the next piece of what is read may take to come.
pub const READ_IDLE_MAX: Duration = Duration::from_secs(60);

/// The connections that streams are spread over: one is bound to one core at a time.
const STREAM_CONNECTIONS: usize = 2;

/// A [`zot_contract::Registry`] that asks another process. Cloning is cheap, clones share the connections.
///
/// Connections come about with the first call and again after they were lost; a call that fails because of one is
/// [`zot_contract::Error::Unavailable`] and not tried again.
#[derive(Clone)]
pub struct RemoteRegistry {
    address: Arc<str>,
    /// Blobs do not stand in the way of what is small: calls without a body have a connection to themselves.
    calls: Channel,
    streams: Arc<Streams>,
    lanes: Lanes,
    deadline: Duration,
}

/// The connections that bodies go over, in turn.
struct Streams {
    channels: [Channel; STREAM_CONNECTIONS],
    next: AtomicUsize,
}

impl Streams {
    fn next(&self) -> Channel {
        let [first, second] = &self.channels;
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        if turn.is_multiple_of(2) { first.clone() } else { second.clone() }
    }
}

impl RemoteRegistry {
    /// The registry that is served at `address`, such as `127.0.0.1:5001`. Needs a tokio runtime.
    pub fn dial(dialer: &Dialer, address: &str) -> Result<Self, InvalidAddress> {
        let channels = [dialer.channel(address)?, dialer.channel(address)?];
        let streams = Arc::new(Streams { channels, next: AtomicUsize::new(0) });
        let lanes = Lanes::new(dialer.destination(address)?);
        Ok(Self { calls: dialer.channel(address)?, address: address.into(), streams, lanes, deadline: DEADLINE })
    }

    /// The same registry, which gives up a call without a stream after `deadline`.
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Whether the process answers at all within a time, whatever it says. It asks nothing of its stores for that.
    pub async fn answers(&self, within: Duration) -> bool {
        let mut client = ClusterServiceClient::new(self.calls.clone());
        match timeout(within, client.watch_views(v1::WatchViewsRequest {})).await {
            Ok(Err(refusal)) => !Unreachable::caused(&status::error(&refusal)),
            answered => answered.is_ok(),
        }
    }

    fn blobs(&self) -> BlobServiceClient<Channel> {
        BlobServiceClient::new(self.calls.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    fn blob_streams(&self) -> BlobServiceClient<Channel> {
        BlobServiceClient::new(self.streams.next()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    fn uploads(&self) -> UploadServiceClient<Channel> {
        UploadServiceClient::new(self.calls.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    fn upload_streams(&self) -> UploadServiceClient<Channel> {
        UploadServiceClient::new(self.streams.next()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    fn manifests(&self) -> ManifestServiceClient<Channel> {
        ManifestServiceClient::new(self.calls.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    fn catalog(&self) -> CatalogServiceClient<Channel> {
        CatalogServiceClient::new(self.calls.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    fn users(&self) -> UserServiceClient<Channel> {
        UserServiceClient::new(self.calls.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// A request that tells the server when its answer is of no use any more.
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.deadline);
        request
    }

    /// What is answered to a call without a stream, within the deadline.
    async fn answer<T>(&self, call: impl Future<Output = Answer<T>> + Send) -> Result<T, Error> {
        let answer = timeout(self.deadline, call).await.map_err(|_| status::overdue(self.deadline))?;
        answer.map(Response::into_inner).map_err(|refusal| status::error(&refusal))
    }
}

impl fmt::Debug for RemoteRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteRegistry").field("address", &self.address).field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
