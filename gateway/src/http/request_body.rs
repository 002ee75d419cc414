//! The body of a request on its way in: bounded, timed by its progress, and never left half-read on a connection that goes on.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::Body,
    http::{header, request::Parts},
};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use http_body::Body as _;
use tokio::runtime::Handle;
use zot_contract::{BoxError, Chunk, Error};
use zot_oci::ByteRange;
use zot_runtime::progress::{MinimumPace, ProgressTimeout};

use super::error::Refusal;

/// How much of an unwanted body is read and dropped so that the client gets to read why. Twice the usual limit of a manifest: one that is
/// a little too large shall see its 413.
const UNWANTED_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// How long that may take.
const UNWANTED_TIME_MAX: Duration = Duration::from_secs(5);

/// The bytes a second, on the average of the longest wait for progress, below which a connection is not worth its place: the slowest lines that
/// anybody pushes over have ten times as much.
const BYTES_PER_SECOND_MIN: f64 = 100.0;

/// The body of a request.
pub(crate) struct RequestBody {
    pieces: Timed,
    /// How many bytes must still come, where a header says so.
    expected: Option<u64>,
    continued: Continued,
    /// Where the rest is read and dropped.
    linger: Option<Handle>,
    ended: bool,
}

/// A body that may take as long as it likes, but must come.
type Timed = ProgressTimeout<MinimumPace<Pieces>>;

/// The data of a body; trailers are of no use here.
struct Pieces(Body);

/// Whether a client that asked (`Expect: 100-continue`) has been told to send its body.
#[derive(Clone)]
pub(crate) struct Continued(Option<Arc<AtomicBool>>);

impl Continued {
    fn of(head: &Parts) -> Self {
        let asks = head.headers.get(header::EXPECT);
        let asks = asks.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        Self(asks.then(Arc::default))
    }

    fn tell(&self) {
        if let Some(told) = &self.0 {
            told.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the client still waits: its body will not come, and its connection is of no further use.
    pub(crate) fn is_awaited(&self) -> bool {
        self.0.as_ref().is_some_and(|told| !told.load(Ordering::Relaxed))
    }
}

impl RequestBody {
    /// The body that came with `head`. `progress` is the longest wait for its next bytes, and the time over which their pace is judged.
    pub(crate) fn new(head: &Parts, body: Body, progress: Duration) -> Self {
        let ended = body.is_end_stream();
        Self {
            expected: body.size_hint().exact(),
            pieces: timed(body, progress),
            continued: Continued::of(head),
            linger: (!ended).then(Handle::current),
            ended,
        }
    }

    /// Tells later whether the body was ever asked for.
    pub(crate) fn continued(&self) -> Continued {
        self.continued.clone()
    }

    /// The number of bytes that were announced.
    pub(crate) fn announced(&self) -> Option<u64> {
        self.expected
    }

    /// The body as a chunk for the end of an upload.
    pub(crate) fn into_chunk(self) -> Chunk {
        Chunk { at: None, length: self.expected, stream: self.boxed() }
    }

    /// The body as the chunk that covers `range`; a body of another length breaks off.
    pub(crate) fn into_chunk_of(mut self, range: ByteRange) -> Chunk {
        self.expected = Some(range.length());
        self.into_chunk().at(range.first())
    }

    /// The whole body, or [`Refusal::manifest_too_large`] as soon as it is known to have more than `bytes_max` bytes.
    pub(crate) async fn collect(mut self, bytes_max: u64) -> Result<Bytes, Refusal> {
        if self.expected.is_some_and(|expected| expected > bytes_max) {
            return Err(Refusal::manifest_too_large(bytes_max));
        }
        let announced = self.expected.and_then(|expected| usize::try_from(expected).ok());
        let Some(first) = self.next().await.transpose().map_err(Error::BodyBroken)? else {
            return Ok(Bytes::new());
        };
        if announced == Some(first.len()) {
            return Ok(first);
        }
        let mut whole = BytesMut::with_capacity(announced.unwrap_or(2 * first.len()));
        let mut next = Some(first);
        while let Some(piece) = next {
            whole.extend_from_slice(&piece);
            if whole.len() as u64 > bytes_max {
                return Err(Refusal::manifest_too_large(bytes_max));
            }
            next = self.next().await.transpose().map_err(Error::BodyBroken)?;
        }
        Ok(whole.freeze())
    }

    fn counted(&mut self, bytes: Bytes) -> Result<Bytes, BoxError> {
        if let Some(expected) = &mut self.expected {
            *expected = expected.checked_sub(bytes.len() as u64).ok_or("the body is longer than its headers say")?;
        }
        Ok(bytes)
    }

    fn end(&mut self) -> Option<Result<Bytes, BoxError>> {
        self.ended = true;
        let missing = self.expected.take().filter(|missing| *missing > 0)?;
        Some(Err(format!("the body ended {missing} bytes before the end that its headers say").into()))
    }
}

impl Stream for RequestBody {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.continued.tell();
        Poll::Ready(match ready!(self.pieces.poll_next_unpin(cx)) {
            Some(Ok(bytes)) => Some(self.counted(bytes)),
            Some(Err(error)) => {
                self.ended = true;
                Some(Err(error))
            }
            None => self.end(),
        })
    }
}

impl Stream for Pieces {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(Pin::new(&mut self.0).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into_inner()))),
                None => return Poll::Ready(None),
            }
        }
    }
}

/// A client that writes a body reads the answer only when it is done. Closing at once would reset the connection (or the stream, to
/// which not every client reacts well) and destroy an answer that is already on its way, so the rest of the body is read first, within bounds.
impl Drop for RequestBody {
    fn drop(&mut self) {
        if self.ended || self.expected == Some(0) || self.continued.is_awaited() {
            return;
        }
        if let Some(runtime) = self.linger.take() {
            let nothing = timed(Body::empty(), UNWANTED_TIME_MAX);
            let rest = std::mem::replace(&mut self.pieces, nothing);
            runtime.spawn(tokio::time::timeout(UNWANTED_TIME_MAX, read_and_drop(rest)));
        }
    }
}

fn timed(body: Body, progress: Duration) -> Timed {
    let bytes_min = (BYTES_PER_SECOND_MIN * progress.as_secs_f64()) as u64;
    ProgressTimeout::new(MinimumPace::new(Pieces(body), bytes_min, progress), progress)
}

async fn read_and_drop(mut rest: Timed) {
    let mut read = 0;
    while let Some(Ok(bytes)) = rest.next().await {
        read += bytes.len() as u64;
        if read > UNWANTED_BYTES_MAX {
            return;
        }
    }
}
