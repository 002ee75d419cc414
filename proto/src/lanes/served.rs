//! The end of lanes that is asked.

use std::{io, sync::Arc};

use bytes::{Buf as _, Bytes, BytesMut};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use prost::Message as _;
use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use zot_contract::{BlobBody, BlobStream, Context, Error, Fetched, Held, Piece, Registry, in_memory};
use zot_oci::{ByteRange, Digest, RepositoryName};

use super::{
    ALIVE_EVERY, REQUEST_IDLE_MAX, REQUEST_WITHIN,
    frame::{Header, Kind, MAGIC},
    inbound::Inbound,
};
use crate::{
    Connection, PIECE_BYTES_MAX,
    convert::{Malformed, parse, required},
    status::{Refusal, details, refusal},
    v1::{self, lane_request},
};

/// The most lanes of a process, from all others together. Who gets none goes by gRPC.
const SERVED_MAX: usize = 4096;

/// Serves all lanes that come in, until `stop`; then those that carry something until they have carried it. Dropped, it cuts them off.
pub(crate) async fn serve_all(mut incoming: mpsc::Receiver<Connection>, registry: Arc<dyn Registry>, stop: CancellationToken) {
    let mut lanes = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = lanes.join_next(), if !lanes.is_empty() => {}
            connection = incoming.recv() => match connection {
                Some(connection) if lanes.len() < SERVED_MAX => {
                    let lane = Served { inbound: Inbound::new(connection), registry: Arc::clone(&registry) };
                    lanes.spawn(lane.serve(stop.clone()));
                }
                Some(_) => tracing::debug!("refused a lane, there are too many"),
                None => break,
            },
        }
    }
    while lanes.join_next().await.is_some() {}
}

/// One lane.
struct Served {
    inbound: Inbound,
    registry: Arc<dyn Registry>,
}

/// What is asked for, checked.
struct Asked {
    cx: Context,
    repository: RepositoryName,
    digest: Digest,
    range: Option<ByteRange>,
    /// Whether the answer may be where the blob is.
    elsewhere: bool,
}

impl Served {
    async fn serve(mut self, stop: CancellationToken) {
        if let Err(error) = self.carry(stop).await {
            // Mostly it is a client that does not want the rest of what it asked for.
            tracing::debug!(%error, "a lane ended");
        }
    }

    /// Carries one transfer after the other.
    async fn carry(&mut self, stop: CancellationToken) -> io::Result<()> {
        self.inbound.write(&MAGIC[..]).await?;
        loop {
            let request = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                request = self.request() => request?,
            };
            let Some(request) = request else {
                return Ok(());
            };
            match asked(request) {
                Ok(asked) => self.answer(asked).await?,
                Err(malformed) => self.refuse(&malformed.into(), BytesMut::new()).await?,
            }
        }
    }

    /// The next request, or nothing if none comes.
    async fn request(&mut self) -> io::Result<Option<Bytes>> {
        match timeout(REQUEST_IDLE_MAX, self.inbound.begin()).await {
            Err(_) => return Ok(None),
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Ok(began) => began?,
        }
        let request = async {
            match self.inbound.header(0).await? {
                Header { kind: Kind::Request, length } => self.inbound.message(length).await,
                Header { kind, .. } => Err(io::Error::new(io::ErrorKind::InvalidData, format!("expected a request, found {kind:?}"))),
            }
        };
        timeout(REQUEST_WITHIN, request).await?.map(Some)
    }

    async fn answer(&mut self, asked: Asked) -> io::Result<()> {
        let (registry, range) = (Arc::clone(&self.registry), asked.range);
        let fetch = async move {
            let Asked { cx, repository, digest, range, elsewhere } = &asked;
            if *elsewhere && range.is_none() {
                registry.fetch_blob(cx, repository, digest).await
            } else {
                registry.read_blob(cx, repository, digest, *range).await.map(Fetched::Here)
            }
        };
        let mut head = BytesMut::new();
        let BlobBody { size, stream } = match self.alive_while(fetch).await? {
            Ok(Fetched::Here(body)) => body,
            Ok(Fetched::Elsewhere(url)) => {
                Kind::Elsewhere.put_message(&v1::BlobElsewhere { url: url.as_str().to_owned() }, &mut head);
                return self.inbound.write(head).await;
            }
            Err(error) => return self.refuse(&refusal(&error), head).await,
        };
        Kind::Header.put_message(&v1::ReadBlobHeader { size }, &mut head);
        self.send(stream, head, range.map_or(size, ByteRange::length)).await
    }

    /// Sends `head`, and as many bytes as were announced.
    async fn send(&mut self, mut stream: BlobStream, mut head: BytesMut, mut missing: u64) -> io::Result<()> {
        if !self.inbound.is_plain() {
            stream = in_memory(stream, Error::internal).map_ok(Piece::Bytes).boxed();
        }
        let mut next = stream.next().now_or_never();
        if next.is_none() {
            // What comes first may take long, and whoever asks waits for the header.
            self.inbound.write(head.split()).await?;
        }
        loop {
            let piece = match next.take() {
                Some(piece) => piece,
                None => self.alive_while(stream.next()).await?,
            };
            let piece = match piece {
                Some(Ok(piece)) => piece,
                Some(Err(error)) => return self.refuse(&refusal(&error), head).await,
                None => {
                    Kind::End.put(0, &mut head);
                    return self.inbound.write(head).await;
                }
            };
            missing = missing.saturating_sub(piece.length());
            let bytes = match piece {
                Piece::Bytes(bytes) => bytes,
                Piece::Held(held) => {
                    // What is said before and after the bytes goes with them: to wake the other end costs as much as many bytes.
                    self.inbound.hold_back(true)?;
                    self.held(&mut head, held).await?;
                    if missing == 0 {
                        next = Some(self.alive_while(stream.next()).await?);
                    }
                    if matches!(next, Some(None)) {
                        Kind::End.put(0, &mut head);
                        self.inbound.write(head).await?;
                        return self.inbound.hold_back(false);
                    }
                    self.inbound.hold_back(false)?;
                    continue;
                }
            };
            let mut tail = BytesMut::new();
            if missing == 0 {
                // The end goes with the last bytes: both wake the other end once.
                next = Some(self.alive_while(stream.next()).await?);
                if matches!(next, Some(None)) {
                    Kind::End.put(0, &mut tail);
                }
            }
            let is_over = !tail.is_empty();
            self.data(&mut head, bytes, tail).await?;
            if is_over {
                return Ok(());
            }
        }
    }

    /// Sends `head`, and a frame of bytes that the system sends from where it holds them.
    async fn held(&mut self, head: &mut BytesMut, held: Held) -> io::Result<()> {
        Kind::Data.put(held.length() as u32, head);
        self.inbound.write(head.split()).await?;
        // Bytes were announced: whoever reads them must not take anything else for them, and asks again.
        let sent = self.inbound.write_held(held).await;
        sent.inspect_err(|error| tracing::debug!(%error, "the bytes that the system holds of a blob could not be sent to their end"))
    }

    /// Sends `head`, `bytes` in frames that fit one read, and `tail`.
    async fn data(&mut self, head: &mut BytesMut, mut bytes: Bytes, tail: BytesMut) -> io::Result<()> {
        while bytes.len() > PIECE_BYTES_MAX {
            let piece = bytes.split_to(PIECE_BYTES_MAX);
            Kind::Data.put(PIECE_BYTES_MAX as u32, head);
            self.inbound.write(head.split().chain(piece)).await?;
        }
        if !bytes.is_empty() {
            Kind::Data.put(bytes.len() as u32, head);
        }
        self.inbound.write(head.split().chain(bytes).chain(tail)).await
    }

    /// Sends `head`, and why there is no more.
    async fn refuse(&mut self, refusal: &Refusal, mut head: BytesMut) -> io::Result<()> {
        Kind::Refused.put_message(&details(refusal), &mut head);
        self.inbound.write(head).await
    }

    /// What `future` returns; the other end hears meanwhile that somebody is there.
    async fn alive_while<T>(&mut self, future: impl Future<Output = T>) -> io::Result<T> {
        tokio::pin!(future);
        loop {
            if let Ok(value) = timeout(ALIVE_EVERY, &mut future).await {
                return Ok(value);
            }
            let mut alive = BytesMut::new();
            Kind::Alive.put(0, &mut alive);
            self.inbound.write(alive).await?;
        }
    }
}

fn asked(request: Bytes) -> Result<Asked, Malformed> {
    let request = v1::LaneRequest::decode(request);
    let request = request.map_err(|source| Malformed::Invalid { field: "request", source: Box::new(source) })?;
    let Some(lane_request::Kind::ReadBlob(asked)) = request.kind else {
        return Err(Malformed::Missing { field: "kind of request" });
    };
    Ok(Asked {
        cx: required("context", asked.context)?,
        repository: parse("repository", &asked.repository)?,
        digest: parse("digest", &asked.digest)?,
        range: asked.range.map(TryInto::try_into).transpose()?,
        elsewhere: asked.elsewhere,
    })
}
