//! The two ends of a connection, sized for blobs.

use std::time::Duration;

use tonic::transport::{Channel, Endpoint, Server, Uri};

/// The most bytes of one message, in either direction. A manifest and a full page of the catalog fit; blobs come in many messages.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most bytes of a blob in one message: measured as the best size, larger ones are copied more often while they are put together.
pub const PIECE_BYTES_MAX: usize = 256 * 1024;

/// What may be in flight in one stream: what a reader costs who does not read on. Over a round trip of 1 ms it allows 1 GB/s.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
/// How many calls one connection carries at a time; others wait for their turn.
const STREAMS_MAX: u32 = 1000;
/// What may be in flight in all streams of a connection. Were it smaller than all their windows, a few readers who do not read on (slow
/// clients, that is) could fill it, and everybody else on the connection would wait for them.
const CONNECTION_WINDOW_BYTES: u32 = STREAMS_MAX * STREAM_WINDOW_BYTES;
/// The default of 16 KiB costs a header, and a turn of the scheduler, for every 16 KiB of a blob.
const FRAME_BYTES_MAX: u32 = 1024 * 1024;
/// Room for the details of an error, whose texts are bounded in `convert/error.rs`.
const HEADER_LIST_BYTES_MAX: u32 = 64 * 1024;

/// How often the other end is asked whether it is still there, also while nothing is going on.
const PING_EVERY: Duration = Duration::from_secs(5);
/// How long it may take to answer. A process that is stopped, or cut off, is noticed after the two together.
const PONG_WITHIN: Duration = Duration::from_secs(5);
/// How long a connection may take to come about.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// A channel to the server at `uri`. It connects with the first call, and again whenever the connection was lost.
pub fn channel(uri: Uri) -> Channel {
    Endpoint::from(uri)
        .connect_timeout(CONNECT_WITHIN)
        .tcp_nodelay(true)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .http2_max_header_list_size(HEADER_LIST_BYTES_MAX)
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PONG_WITHIN)
        .keep_alive_while_idle(true)
        .connect_lazy()
}

/// A server that fits [`channel`]; add [`routes`](crate::routes) to it.
pub fn server() -> Server {
    Server::builder()
        .tcp_nodelay(true)
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PONG_WITHIN))
}
