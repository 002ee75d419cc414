//! The two ends of a connection, sized for blobs: plain, or with a certificate on either end.

mod begun;
mod connection;
mod dialer;
mod incoming;
mod sorted;

use std::time::Duration;

use tonic::transport::Server;

pub use connection::Connection;
pub(crate) use dialer::Destination;
pub use dialer::{Dialer, InvalidAddress, Network};
pub(crate) use incoming::incoming;
pub(crate) use sorted::sorted;

/// The most bytes of one message, in either direction. A manifest and a full page of the catalog fit; blobs come in many messages.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most bytes of a manifest that one message takes, with room for its tags and for who pushes it.
pub const MANIFEST_BYTES_MAX: usize = 15 * 1024 * 1024;
/// The most bytes of a blob in one message: measured as the best size, larger ones are copied more often while they are put together.
pub const PIECE_BYTES_MAX: usize = 256 * 1024;

/// What may be in flight in one stream: what a reader costs who does not read on. Over a round trip of 1 ms it allows 1 GB/s.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
/// How many calls one connection carries at a time; others wait for their turn.
const STREAMS_MAX: u32 = 1000;
/// How many calls of a connection may be given up before a busy node has looked at them. One more ends the connection and all calls on it: the
/// default of 20 is against strangers, and gateways give up a call for every client that goes away, or that another member has answered.
const GIVEN_UP_MAX: usize = 10 * STREAMS_MAX as usize;
/// What may be in flight in all streams of a connection. Were it smaller than all their windows, a few readers who do not read on (slow
/// clients, that is) could fill it, and everybody else on the connection would wait for them.
const CONNECTION_WINDOW_BYTES: u32 = STREAMS_MAX * STREAM_WINDOW_BYTES;
/// The default of 16 KiB costs a header, and a turn of the scheduler, for every 16 KiB of a blob.
const FRAME_BYTES_MAX: u32 = 1024 * 1024;
/// Room for the details of an error, whose texts are bounded in `convert/error.rs`.
const HEADER_LIST_BYTES_MAX: u32 = 64 * 1024;

/// How often a node is asked whether it is still there, also while nothing is going on; a ping is 17 bytes.
pub(crate) const PING_EVERY: Duration = Duration::from_secs(1);
/// How long it may take to answer. A node that is stopped, or cut off, is noticed after the two together: in time for a client that waits for
/// another one to answer instead, and long enough for a node that is only busy.
pub(crate) const PONG_WITHIN: Duration = Duration::from_secs(2);
/// How often a node asks its callers. Nobody waits for the answer: it ends what callers that vanished have left behind, such as uploads.
const CALLER_PING_EVERY: Duration = Duration::from_secs(5);
/// How long they may take to answer.
const CALLER_PONG_WITHIN: Duration = Duration::from_secs(5);

/// A server that fits the channels of a [`Dialer`].
pub(crate) fn server() -> Server {
    Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .http2_max_pending_accept_reset_streams(Some(GIVEN_UP_MAX))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .http2_keepalive_interval(Some(CALLER_PING_EVERY))
        .http2_keepalive_timeout(Some(CALLER_PONG_WITHIN))
}
