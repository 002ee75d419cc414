//! Making uploaded bytes a blob of a repository: bytes first, then the rows that speak of them.

use prost::Message;
use zot_contract::Context;
use zot_oci::{Digest, RepositoryName};

use super::{
    Attempts, Engine,
    content::Stored,
    places::{too_late, uncondemned},
};
use crate::{
    BlobKey, Error, Result,
    error::chain,
    metadata::{
        Expect, Key, Outcome, Transaction,
        rows::{BlobRow, LinkRow, Location},
    },
};

impl Engine {
    /// Stores content that hashes to `digest` and links it into the repository. Places `bytes` only if they are not there yet; if it fails
    /// afterwards, they stay placed for another try.
    pub(super) async fn publish_blob(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        digest: &Digest,
        size: u64,
        bytes: &mut Stored,
    ) -> Result<()> {
        let mut attempts = Attempts::default();
        loop {
            let shared = if self.dedupe { self.shared_blob(digest).await? } else { None };
            let known = shared.is_some();
            let blob = match shared {
                Some(blob) => blob,
                None => self.place(repository, digest, size, bytes).await?,
            };
            let mut transaction = Transaction::new();
            let link = LinkRow { size, location: blob.location, touched_unix_ms: self.wall.unix_ms(), place: blob.place.clone() };
            transaction.put(Key::Link(repository.clone(), *digest), Expect::Anything, link.encode_to_vec());
            if self.dedupe && !known {
                transaction.put(Key::Blob(*digest), Expect::Absent, blob.encode_to_vec());
            }
            // Who removes what nobody speaks of may have come here while this process was stopped.
            let placed = if known { None } else { link.address(repository, digest) };
            transaction.changes.extend(placed.iter().map(uncondemned));
            transaction.changes.extend(self.ending_if_again(cx));
            if self.metadata.commit(transaction).await? == Outcome::Committed {
                self.drop_superfluous(digest, bytes, &blob).await;
                bytes.finish();
                return Ok(());
            }
            // What was placed for it, somebody finds to be of no use.
            if self.was_made(cx).await? {
                bytes.finish();
                return Ok(());
            }
            if let Some(at) = placed
                && self.is_condemned(at.as_str()).await?
            {
                *bytes = Stored::Lost;
                return Err(too_late());
            }
            // Somebody else stored the same blob at the same time: use theirs.
            attempts.again().await?;
        }
    }

    /// Removes bytes that were placed where nobody else's are, if those that `used` speaks of are others.
    async fn drop_superfluous(&self, digest: &Digest, bytes: &Stored, used: &BlobRow) {
        let Stored::Placed { row: placed, .. } = bytes else { return };
        let superfluous = !placed.place.is_empty() && placed.place != used.place;
        let Some(at) = placed.address(digest).filter(|_| superfluous) else { return };
        if let Err(error) = self.blobs.delete(&at).await {
            tracing::warn!(%digest, error = %chain(&error), "could not remove bytes that were stored twice");
        }
    }

    /// The row of a shared blob, if its bytes are there.
    ///
    /// Bytes that got lost or cut are replaced: whoever pushes a blob again repairs it for everybody.
    pub(super) async fn shared_blob(&self, digest: &Digest) -> Result<Option<BlobRow>> {
        let key = Key::Blob(*digest);
        let Some(row) = self.metadata.get(&key).await? else {
            return Ok(None);
        };
        let blob: BlobRow = row.read(&key)?;
        match blob.address(digest) {
            Some(at) if self.blobs.size(&at).await? != Some(blob.size) => {}
            _ => return Ok(Some(blob)),
        }
        tracing::warn!(%digest, "bytes of a blob are missing or cut, storing them again");
        let mut transaction = Transaction::new();
        transaction.delete(key, Expect::Version(row.version));
        self.metadata.commit(transaction).await?;
        Ok(None)
    }

    async fn place(&self, repository: &RepositoryName, digest: &Digest, size: u64, bytes: &mut Stored) -> Result<BlobRow> {
        let (key, location) =
            if self.dedupe { (BlobKey::shared(digest), Location::Shared) } else { (BlobKey::own(repository, digest), Location::Own) };
        let mut row = BlobRow { size, location: location.into(), ..Default::default() };
        match bytes {
            Stored::Inline(bytes) if self.dedupe => {
                return Ok(BlobRow { location: Location::Inline.into(), inline: bytes.clone().freeze(), ..row });
            }
            Stored::Inline(bytes) => row.place = self.store_own(&key, bytes.clone().freeze()).await?,
            Stored::Staged(staged) => row.place = staged.commit(&key).await?,
            // In an earlier round, or by an earlier request.
            Stored::Placed { key: placed, row, .. } if *placed == key => return Ok(row.clone()),
            Stored::Placed { .. } | Stored::Lost => {
                *bytes = Stored::Lost;
                return Err(Error::damaged(format!("upload of blob {digest}"), "its bytes are a blob of another digest already"));
            }
        }
        let staged = match std::mem::replace(bytes, Stored::Lost) {
            Stored::Staged(staged) if !row.place.is_empty() => Some(staged),
            _ => None,
        };
        *bytes = Stored::Placed { key, row: row.clone(), staged };
        Ok(row)
    }
}
