//! A blob that is read to its end although the member that sends it does not last so long.

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use zot_contract::{BlobBody, BlobStream, Context, Error, Piece, Result};
use zot_oci::{ByteRange, Digest, RepositoryName};
use zot_proto::Unreachable;

use super::{ClusterRegistry, members::Remote};

/// How often one reading may be taken up again.
const CONTINUATIONS_MAX: u32 = 3;

/// What was asked for.
pub(super) struct Wanted {
    pub(super) cx: Context,
    pub(super) repository: RepositoryName,
    pub(super) digest: Digest,
    pub(super) range: Option<ByteRange>,
}

/// A blob that is being read.
struct Reading {
    registry: ClusterRegistry,
    wanted: Wanted,
    /// Bytes of the whole blob.
    size: u64,
    /// The offset of the byte that comes next, and of the one after the last.
    next: u64,
    end: u64,
    stream: BlobStream,
    /// Who sends it.
    node: Arc<Remote>,
    continuations: u32,
}

/// The same body, which goes on with another member, from the byte where it stopped, if the way to the one that sends it breaks off.
pub(super) fn continued(registry: ClusterRegistry, wanted: Wanted, body: BlobBody, node: Arc<Remote>) -> BlobBody {
    let BlobBody { size, stream } = body;
    let (next, end) = wanted.range.map_or((0, size), |range| (range.first(), range.first() + range.length()));
    let reading = Reading { registry, wanted, size, next, end, stream, node, continuations: 0 };
    BlobBody { size, stream: stream::try_unfold(reading, Reading::piece).boxed() }
}

impl Reading {
    async fn piece(mut self) -> Result<Option<(Piece, Self)>> {
        loop {
            match self.stream.next().await {
                Some(Ok(piece)) => {
                    self.next += piece.length();
                    return Ok(Some((piece, self)));
                }
                Some(Err(error)) if Unreachable::caused(&error) => match self.rest() {
                    Some(rest) if self.continuations < CONTINUATIONS_MAX => self.take_up(rest).await?,
                    Some(_) => return Err(error),
                    None => return Ok(None),
                },
                Some(Err(error)) => return Err(error),
                None => return Ok(None),
            }
        }
    }

    /// What is still missing.
    fn rest(&self) -> Option<ByteRange> {
        ByteRange::new(self.next, self.end.checked_sub(1)?)
    }

    async fn take_up(&mut self, rest: ByteRange) -> Result<()> {
        self.node.lose();
        self.continuations += 1;
        let Wanted { cx, repository, digest, .. } = &self.wanted;
        let (body, node) = self.registry.read_of(cx, repository, digest, Some(rest)).await?;
        if body.size != self.size {
            return Err(Error::internal(format!("blob has {} bytes on one node and {} on another", self.size, body.size)));
        }
        (self.stream, self.node) = (body.stream, node);
        Ok(())
    }
}
