//! The lanes to one process: those that rest are taken before new ones are made.

use std::{io, sync::Arc, time::Duration};

use bytes::BytesMut;
use parking_lot::Mutex;
use prost::Message as _;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};
use zot_contract::{Error, Fetched, Pipes, Result};

use super::{
    RESTS_MAX, SILENCE_MAX,
    frame::{HEADER_BYTES, Kind, MAGIC, MESSAGE_BYTES_MAX},
    inbound::Inbound,
    reading::{self, Attempt},
};
use crate::{status, transport::Destination, v1};

/// The most lanes to one process; what finds none free goes by gRPC.
const LANES_MAX: usize = 512;
/// The most that rest.
const RESTING_MAX: usize = 32;
/// How long a process that knows no lanes, or had no room, is not asked for one.
const AVOIDED_FOR: Duration = Duration::from_secs(10);

/// The lanes to one process. Clones share them.
#[derive(Clone)]
pub(crate) struct Lanes(Arc<Inner>);

struct Inner {
    destination: Destination,
    free: Arc<Semaphore>,
    resting: Mutex<Vec<Resting>>,
    avoided: Mutex<Option<Instant>>,
    pipes: Pipes,
}

struct Resting {
    lane: Lane,
    since: Instant,
}

/// A lane that is used by one transfer.
pub(super) struct Lane {
    pub(super) inbound: Inbound,
    /// Counts it as long as it is there.
    _permit: OwnedSemaphorePermit,
}

impl Lanes {
    /// No lane yet, to `destination`.
    pub(crate) fn new(destination: Destination) -> Self {
        let free = Arc::new(Semaphore::new(LANES_MAX));
        Self(Arc::new(Inner { destination, free, resting: Mutex::default(), avoided: Mutex::default(), pipes: Pipes::default() }))
    }

    /// The blob, or where it is, by a lane; nothing if there is none to be had, and gRPC is to be asked.
    pub(crate) async fn read_blob(&self, asked: &v1::ReadBlobRequest) -> Option<Result<Fetched>> {
        if self.is_avoided() {
            return None;
        }
        let range = asked.range;
        let request = v1::LaneRequest { kind: Some(v1::lane_request::Kind::ReadBlob(asked.clone())) };
        if request.encoded_len() > MESSAGE_BYTES_MAX {
            return None;
        }
        let mut bytes = BytesMut::with_capacity(MAGIC.len() + HEADER_BYTES + request.encoded_len());
        bytes.extend_from_slice(MAGIC);
        Kind::Request.put_message(&request, &mut bytes);
        let (first, again) = (bytes.clone().freeze(), bytes.split_off(MAGIC.len()).freeze());
        while let Some(lane) = self.rested() {
            match reading::begin(lane, again.clone(), range, self).await {
                Attempt::Answered(answer) => return Some(answer),
                // It was closed while it rested, or is: nothing was done, and reading can be asked for twice.
                Attempt::Closed(_) => {}
            }
        }
        let permit = Arc::clone(&self.0.free).try_acquire_owned().ok()?;
        let mut inbound = match self.0.destination.connect().await {
            Ok(connection) => Inbound::new(connection),
            Err(error) => return Some(Err(status::lost(&error))),
        };
        match timeout(SILENCE_MAX, greet(&mut inbound, first)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(%error, "no lane to a node, blobs come by gRPC");
                *self.0.avoided.lock() = Some(Instant::now());
                return None;
            }
            Err(_) => return Some(Err(status::overdue(SILENCE_MAX))),
        }
        match reading::answered(Lane { inbound, _permit: permit }, range, self).await {
            Attempt::Answered(answer) => Some(answer),
            Attempt::Closed(error) => Some(Err(status::lost(&error))),
        }
    }

    /// Where the system holds what comes on plain lanes.
    pub(super) fn pipes(&self) -> &Pipes {
        &self.0.pipes
    }

    /// Takes back a lane after a transfer.
    pub(super) fn rest(&self, lane: Lane) {
        let mut resting = self.0.resting.lock();
        resting.retain(Resting::is_fresh);
        if resting.len() < RESTING_MAX {
            resting.push(Resting { lane, since: Instant::now() });
        }
    }

    /// A lane that rested, and that the other end has not closed.
    fn rested(&self) -> Option<Lane> {
        let mut resting = self.0.resting.lock();
        loop {
            let mut last = resting.pop()?;
            if last.is_fresh() && last.lane.inbound.is_quiet() {
                return Some(last.lane);
            }
        }
    }

    fn is_avoided(&self) -> bool {
        self.0.avoided.lock().is_some_and(|since| since.elapsed() < AVOIDED_FOR)
    }
}

impl Resting {
    fn is_fresh(&self) -> bool {
        self.since.elapsed() < RESTS_MAX
    }
}

/// Begins a lane with its first request, and waits for the other end to begin it too.
async fn greet(inbound: &mut Inbound, first: bytes::Bytes) -> io::Result<()> {
    inbound.write(first).await?;
    if inbound.message(MAGIC.len()).await? == MAGIC[..] { Ok(()) } else { Err(io::Error::other("the other end speaks something else")) }
}

/// Why there is no answer yet: what a lane that rested may say as well.
impl From<Error> for Attempt {
    fn from(error: Error) -> Self {
        Self::Answered(Err(error))
    }
}
