//! Blobs: read through the repository's link to them, which also says where the bytes are.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use prost::Message;
use zot_contract::{BlobBody, BlobInfo, BlobUrl, Blobs, Context, Error, Fetched, Result, UploadId};
use zot_oci::{ByteRange, Digest, RepositoryName};

use super::{Attempts, Engine, content::Stored};
use crate::{
    BlobAddress, BlobKey,
    blobs::{Opened, Staged, in_memory},
    metadata::{
        Expect, Key, Outcome, Scan, Transaction,
        rows::{BlobRow, LinkRow, Location, ManifestRow},
    },
};

#[async_trait::async_trait]
impl Blobs for Engine {
    async fn stat_blob(&self, _cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<BlobInfo> {
        if let Some(link) = self.link(repository, digest).await? {
            return Ok(BlobInfo { size: link.size });
        }
        match self.manifest_row(repository, digest).await? {
            Some((manifest, _)) => Ok(BlobInfo { size: manifest.size }),
            None => Err(self.blob_unknown(repository, digest).await?),
        }
    }

    async fn read_blob(&self, _cx: &Context, repository: &RepositoryName, digest: &Digest, range: Option<ByteRange>) -> Result<BlobBody> {
        if let Some(link) = self.link(repository, digest).await? {
            let opened = self.read_linked(repository, digest, &link, range).await?;
            return Ok(body(link.size, opened));
        }
        match self.manifest_row(repository, digest).await? {
            Some((manifest, _)) => {
                let bytes = self.manifest_bytes(repository, digest, &manifest).await?;
                Ok(body(manifest.size, part(bytes, range)))
            }
            None => Err(self.blob_unknown(repository, digest).await?),
        }
    }

    async fn fetch_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<Fetched> {
        if let Some(valid_for) = self.links_valid_for
            && let Some(link) = self.link(repository, digest).await?
        {
            return Ok(match self.url(repository, digest, &link, valid_for).await? {
                Some(url) => Fetched::Elsewhere(url),
                None => Fetched::Here(body(link.size, self.read_linked(repository, digest, &link, None).await?)),
            });
        }
        self.read_blob(cx, repository, digest, None).await.map(Fetched::Here)
    }

    async fn mount_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest, from: Option<&RepositoryName>) -> Result<bool> {
        let mut attempts = Attempts::default();
        loop {
            let tried = match self.try_mount(cx, repository, digest, from).await {
                Ok(Some(outcome)) => Ok(outcome),
                Ok(None) => return Ok(!self.withdraw(cx).await?),
                Err(error) => Err(error.into()),
            };
            if self.is_made(cx, &mut attempts, tried).await? {
                return Ok(true);
            }
        }
    }

    async fn delete_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<()> {
        let mut attempts = Attempts::default();
        loop {
            let tried = self.try_unlink(cx, repository, digest).await;
            if self.is_made(cx, &mut attempts, tried).await? {
                break;
            }
        }
        self.layout_changed();
        Ok(())
    }
}

impl Engine {
    async fn try_unlink(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<Outcome> {
        let key = Key::Link(repository.clone(), *digest);
        let Some(row) = self.metadata.get(&key).await? else {
            return Err(self.blob_unknown(repository, digest).await?);
        };
        if let Some(manifest) = self.referencing_manifest(repository, digest).await? {
            return Err(Error::BlobReferenced { repository: repository.clone(), digest: *digest, manifest });
        }
        // A manifest that takes up the blob now writes the link, so that this version is gone.
        let mut transaction = Transaction::new();
        transaction.delete(key, Expect::Version(row.version));
        // Else the layout would bring the blob back when the rows are made from it.
        transaction.put(Key::Unprojected(repository.clone(), *digest), Expect::Anything, Bytes::new());
        transaction.changes.extend(self.ending(cx));
        Ok(self.metadata.commit(transaction).await?)
    }

    pub(super) async fn link(&self, repository: &RepositoryName, digest: &Digest) -> crate::Result<Option<LinkRow>> {
        let key = Key::Link(repository.clone(), *digest);
        self.metadata.get(&key).await?.map(|row| row.read(&key)).transpose()
    }

    /// What came of an attempt to mount a blob; nothing if it cannot be mounted.
    async fn try_mount(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        digest: &Digest,
        from: Option<&RepositoryName>,
    ) -> crate::Result<Option<Outcome>> {
        if self.link(repository, digest).await?.is_some() {
            // An earlier attempt may still be about to link it.
            let Some(ending) = self.ending(cx).filter(|_| cx.operation.is_some_and(|operation| operation.again)) else {
                return Ok(Some(Outcome::Committed));
            };
            return self.metadata.commit(Transaction { changes: vec![ending] }).await.map(Some);
        }
        match from {
            Some(from) => self.mount_from(cx, repository, digest, from).await,
            None => self.mount_shared(cx, repository, digest).await,
        }
    }

    async fn mount_from(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        digest: &Digest,
        from: &RepositoryName,
    ) -> crate::Result<Option<Outcome>> {
        let Some(source) = self.link(from, digest).await? else {
            return Ok(None);
        };
        if !self.dedupe || source.location() == Location::Own {
            self.copy_blob(cx, repository, digest, from, &source).await?;
            return Ok(Some(Outcome::Committed));
        }
        self.link_to(cx, repository, digest, source).await.map(Some)
    }

    async fn mount_shared(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> crate::Result<Option<Outcome>> {
        // Bytes that are not shared cannot be found without knowing whose they are.
        let shared = if self.dedupe { self.shared_blob(digest).await? } else { None };
        let Some(BlobRow { size, location, place, .. }) = shared else {
            return Ok(None);
        };
        self.link_to(cx, repository, digest, LinkRow { size, location, place, ..Default::default() }).await.map(Some)
    }

    async fn link_to(&self, cx: &Context, repository: &RepositoryName, digest: &Digest, link: LinkRow) -> crate::Result<Outcome> {
        let link = LinkRow { touched_unix_ms: self.wall.unix_ms(), ..link };
        let mut transaction = Transaction::new();
        transaction.put(Key::Link(repository.clone(), *digest), Expect::Anything, link.encode_to_vec());
        transaction.changes.extend(self.ending_if_again(cx));
        self.metadata.commit(transaction).await
    }

    async fn read_linked(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        link: &LinkRow,
        range: Option<ByteRange>,
    ) -> crate::Result<Opened> {
        let Some(at) = link.address(repository, digest) else {
            return Ok(part(self.inline_blob(digest).await?, range));
        };
        let Some(range) = range.or_else(|| ByteRange::whole(link.size)) else {
            return Ok(stream::empty().boxed());
        };
        match self.blobs.read(&at, link.size, range).await {
            Err(error @ crate::Error::Damaged { .. }) => match self.repaired(digest, &at).await? {
                Some(at) => self.blobs.read(&at, link.size, range).await,
                None => Err(error),
            },
            read => read,
        }
    }

    /// Where whoever wants a linked blob can read it.
    async fn url(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        link: &LinkRow,
        valid_for: Duration,
    ) -> crate::Result<Option<BlobUrl>> {
        let Some(at) = link.address(repository, digest).filter(|_| link.size > 0) else { return Ok(None) };
        match self.blobs.url(&at, link.size, valid_for).await {
            // Who reads them finds out whether somebody pushed them anew, or reports the damage.
            Err(crate::Error::Damaged { .. }) => Ok(None),
            url => url,
        }
    }

    /// Where the bytes of a shared blob are since somebody pushed it again, if they are no longer where a link says.
    async fn repaired(&self, digest: &Digest, lost: &BlobAddress) -> crate::Result<Option<BlobAddress>> {
        let key = Key::Blob(*digest);
        if lost.key != BlobKey::shared(digest) {
            return Ok(None);
        }
        let Some(row) = self.metadata.get(&key).await? else { return Ok(None) };
        Ok(row.read::<BlobRow>(&key)?.address(digest).filter(|at| at != lost))
    }

    pub(crate) async fn inline_blob(&self, digest: &Digest) -> crate::Result<Bytes> {
        let key = Key::Blob(*digest);
        let row = self.metadata.get(&key).await?;
        let row = row.ok_or_else(|| crate::Error::damaged(format!("blob {digest}"), "a repository links to it but it is not there"))?;
        Ok(row.read::<BlobRow>(&key)?.inline)
    }

    /// Gives the repository bytes of its own, where bytes are not shared.
    async fn copy_blob(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        digest: &Digest,
        from: &RepositoryName,
        source: &LinkRow,
    ) -> crate::Result<()> {
        let mut staged = self.blobs.stage(UploadId::random()).await?;
        if let Err(error) = self.stage_copy(staged.as_mut(), digest, from, source).await {
            staged.discard().await?;
            return Err(error);
        }
        let mut bytes = Stored::Staged(staged);
        let published = self.publish_blob(cx, repository, digest, source.size, &mut bytes).await;
        if let Stored::Staged(mut superfluous) = bytes {
            superfluous.discard().await?;
        }
        published
    }

    async fn stage_copy(&self, staged: &mut dyn Staged, digest: &Digest, from: &RepositoryName, source: &LinkRow) -> crate::Result<()> {
        let mut pieces = in_memory(self.read_linked(from, digest, source, None).await?);
        while let Some(piece) = pieces.next().await {
            staged.write(vec![piece?]).await?;
        }
        Ok(())
    }

    /// The error for a blob that is not there: the repository may not be there either.
    async fn blob_unknown(&self, repository: &RepositoryName, digest: &Digest) -> crate::Result<Error> {
        let repository = repository.clone();
        Ok(if self.repository_exists(&repository).await? {
            Error::BlobUnknown { repository, digest: *digest }
        } else {
            Error::NameUnknown { repository }
        })
    }

    /// Whether anything was ever pushed to the repository.
    pub(super) async fn repository_exists(&self, repository: &RepositoryName) -> crate::Result<bool> {
        if self.metadata.get(&Key::Repository(repository.clone())).await?.is_some() {
            return Ok(true);
        }
        let links = self.metadata.scan(&Scan::Links(repository.clone(), None), 1).await?;
        Ok(!links.is_empty())
    }

    pub(super) async fn manifest_row(&self, repository: &RepositoryName, digest: &Digest) -> crate::Result<Option<(ManifestRow, u64)>> {
        let key = Key::Manifest(repository.clone(), *digest);
        let Some(row) = self.metadata.get(&key).await? else {
            return Ok(None);
        };
        Ok(Some((row.read(&key)?, row.version)))
    }
}

fn body(size: u64, opened: Opened) -> BlobBody {
    BlobBody { size, stream: opened.map_err(Into::into).boxed() }
}

/// A part of bytes that are at hand.
fn part(bytes: Bytes, range: Option<ByteRange>) -> Opened {
    let part = match range {
        Some(range) => {
            let end = bytes.len().min(usize::try_from(range.last()).unwrap_or(usize::MAX).saturating_add(1));
            bytes.slice(end.min(range.first() as usize)..end)
        }
        None => bytes,
    };
    stream::iter((!part.is_empty()).then_some(Ok(part.into()))).boxed()
}
