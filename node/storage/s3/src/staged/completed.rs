//! Parts that are made an object, and what follows from that.

use futures::TryStreamExt;
use zot_oci::{ByteRange, Digest, Hasher};
use zot_storage::{Error, Result, blobs::Pieces};

use super::S3Staged;
use crate::{
    bucket::{Completion, is_gone},
    read,
};

impl S3Staged {
    /// Makes the parts and the tail an object. Returns its place, and whether it is sure to have these bytes.
    pub(super) async fn complete(&mut self) -> Result<(String, Completion)> {
        let sent = self.send_rest().await;
        let Some((place, multipart)) = &self.multipart else {
            return Err(Error::damaged(format!("upload {}", self.upload), "it has parts but no multipart upload"));
        };
        let completion = match sent {
            Ok(()) => self.store.bucket.complete_multipart(multipart, self.parts.etags().into_iter()).await?,
            Err(error) if is_gone(&error) => Completion::Unsure,
            Err(error) => return Err(error),
        };
        Ok((place.clone(), completion))
    }

    async fn send_rest(&mut self) -> Result<()> {
        if !self.tail.is_empty() {
            self.send_part().await?;
        }
        self.parts.settle().await
    }

    /// Makes the parts and the tail an object that has the digest. Returns its place.
    pub(super) async fn complete_as(&mut self, digest: &Digest) -> Result<String> {
        let (size, (place, completion)) = (self.size(), self.complete().await?);
        if completion == Completion::Unsure {
            self.check(&place, size, digest).await?;
        }
        Ok(place)
    }

    /// Finds out whether an object is the one that was to be completed. Its size and its name do not tell: whoever took the upload up may have
    /// sent other parts under the same name and completed these.
    async fn check(&self, place: &str, size: u64, digest: &Digest) -> Result<()> {
        let (mut hasher, mut pieces) = (Hasher::new(digest.algorithm()), self.object(place, size).await?);
        while let Some(piece) = pieces.try_next().await? {
            hasher.update(&piece);
        }
        let same = hasher.finish() == *digest;
        if same { Ok(()) } else { Err(Error::damaged(format!("object {place}"), "another process completed it with other bytes")) }
    }

    /// Turns an object that was completed to be read back into parts again, because there is more to come.
    pub(super) async fn reopen(&mut self) -> Result<()> {
        let Some((place, _)) = self.multipart.take_if(|_| self.completed > 0) else { return Ok(()) };
        let size = std::mem::take(&mut self.completed);
        let mut pieces = self.object(&place, size).await?;
        while let Some(piece) = pieces.try_next().await? {
            self.append(vec![piece]).await?;
        }
        Ok(())
    }

    pub(super) async fn object(&self, place: &str, size: u64) -> Result<Pieces> {
        let damaged = |reason: &'static str| Error::damaged(format!("object {place}"), reason);
        let range = ByteRange::whole(size).ok_or_else(|| damaged("it is empty"))?;
        let opened = read::open(&self.store, self.store.keys.of(place), range).await?;
        let (found, pieces) = opened.ok_or_else(|| damaged("it is not there"))?;
        if found == size { Ok(pieces) } else { Err(damaged("it has another size")) }
    }
}
