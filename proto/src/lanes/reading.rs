//! A blob that is read from a lane. What is read is counted: less than was announced is an error, however the lane ended.

use std::io;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use tokio::time::timeout;
use zot_contract::{BlobBody, Error, Fetched, Piece, Result};
use zot_oci::ByteRange;

use super::{
    SILENCE_MAX,
    frame::{Header, Kind},
    pool::{Lane, Lanes},
};
use crate::{
    client::READ_IDLE_MAX,
    convert::{Malformed, parse},
    status, v1,
};

/// What became of asking on a lane.
pub(super) enum Attempt {
    /// The other end answered, or should have.
    Answered(Result<Fetched>),
    /// The lane ended before an answer.
    Closed(io::Error),
}

/// A blob that is being read.
struct Reading {
    lane: Lane,
    lanes: Lanes,
    /// Bytes of the frame that has begun.
    left: usize,
    /// Bytes of all that was asked for.
    missing: u64,
}

/// Asks on a lane that rested.
pub(super) async fn begin(mut lane: Lane, request: Bytes, range: Option<v1::ByteRange>, lanes: &Lanes) -> Attempt {
    match timeout(SILENCE_MAX, lane.inbound.write(request)).await {
        Ok(Ok(())) => answered(lane, range, lanes).await,
        Ok(Err(error)) => Attempt::Closed(error),
        Err(_) => status::overdue(SILENCE_MAX).into(),
    }
}

/// Waits for the answer to what was asked on a lane.
pub(super) async fn answered(mut lane: Lane, range: Option<v1::ByteRange>, lanes: &Lanes) -> Attempt {
    // Whatever comes is an answer; nothing but the end is none.
    match timeout(SILENCE_MAX, lane.inbound.begin()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Attempt::Closed(error),
        Err(_) => return status::overdue(SILENCE_MAX).into(),
    }
    let reading = Reading { lane, lanes: lanes.clone(), left: 0, missing: 0 };
    let answer = timeout(READ_IDLE_MAX, reading.open(range)).await;
    Attempt::Answered(answer.unwrap_or_else(|_| Err(status::overdue(READ_IDLE_MAX))))
}

impl Reading {
    /// The blob, once its header is there, or where it is.
    async fn open(mut self, range: Option<v1::ByteRange>) -> Result<Fetched> {
        let range = range.map(ByteRange::try_from).transpose()?;
        match self.header().await? {
            Header { kind: Kind::Header, length } => {
                let header = within(self.lane.inbound.message(length)).await?;
                let v1::ReadBlobHeader { size } = decoded(header)?;
                self.missing = range.map_or(size, ByteRange::length);
                let rest = if self.missing == 0 { self.end().await.map(|()| None)? } else { Some(self) };
                Ok(Fetched::Here(BlobBody { size, stream: stream::try_unfold(rest, piece).boxed() }))
            }
            Header { kind: Kind::Elsewhere, length } => {
                let message = within(self.lane.inbound.message(length)).await?;
                let v1::BlobElsewhere { url } = decoded(message)?;
                self.lanes.rest(self.lane);
                Ok(Fetched::Elsewhere(parse("URL of a blob", &url)?))
            }
            header => Err(self.refused(header, "the header of a blob").await),
        }
    }

    /// The next bytes, and what comes after them: nothing when the blob is whole.
    async fn next(mut self) -> Result<(Piece, Option<Self>)> {
        while self.left == 0 {
            match self.header().await? {
                Header { kind: Kind::Data, length } if length as u64 <= self.missing => self.left = length,
                Header { kind: Kind::Data, .. } => return Err(too_much()),
                Header { kind: Kind::End, .. } => return Err(status::broke_off()),
                header => return Err(self.refused(header, "data").await),
            }
        }
        let piece = within(self.lane.inbound.some(self.left, self.missing, self.lanes.pipes())).await?;
        // It is a part of what is left.
        self.left -= piece.length() as usize;
        self.missing -= piece.length();
        if self.missing > 0 {
            return Ok((piece, Some(self)));
        }
        // Whoever asked may not ask on after the last byte, and would never learn of an error, nor give back the lane.
        self.end().await?;
        Ok((piece, None))
    }

    /// The end, after which the lane is free.
    async fn end(mut self) -> Result<()> {
        match self.header().await? {
            Header { kind: Kind::End, .. } => {
                self.lanes.rest(self.lane);
                Ok(())
            }
            Header { kind: Kind::Data, .. } => Err(too_much()),
            header => Err(self.refused(header, "the end of a blob").await),
        }
    }

    /// The next header that says something.
    async fn header(&mut self) -> Result<Header> {
        loop {
            match within(self.lane.inbound.header(self.missing)).await? {
                Header { kind: Kind::Alive, .. } => {}
                header => return Ok(header),
            }
        }
    }

    /// Why something else came than what was `expected`.
    async fn refused(mut self, header: Header, expected: &'static str) -> Error {
        if header.kind != Kind::Refused {
            return Malformed::Order { expected }.into();
        }
        let refused = async {
            let bytes = within(self.lane.inbound.message(header.length)).await?;
            decoded(bytes).map(status::told)
        };
        match refused.await {
            Ok(refusal) => {
                self.lanes.rest(self.lane);
                status::error(&refusal)
            }
            Err(error) => error,
        }
    }
}

/// The next piece of a blob that is not whole yet.
async fn piece(reading: Option<Reading>) -> Result<Option<(Piece, Option<Reading>)>> {
    let Some(reading) = reading else {
        return Ok(None);
    };
    timeout(READ_IDLE_MAX, reading.next()).await.unwrap_or_else(|_| Err(status::overdue(READ_IDLE_MAX))).map(Some)
}

/// What comes within the time that a missing pong takes.
async fn within<T>(read: impl Future<Output = io::Result<T>>) -> Result<T> {
    let read = timeout(SILENCE_MAX, read).await.map_err(|_| status::overdue(SILENCE_MAX))?;
    read.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => Error::internal(error),
        _ => status::lost(&error),
    })
}

fn decoded<M: prost::Message + Default>(bytes: Bytes) -> Result<M> {
    M::decode(bytes).map_err(|source| Malformed::Invalid { field: "message of a lane", source: Box::new(source) }.into())
}

fn too_much() -> Error {
    Error::internal("more came than was asked for")
}
