//! Uploads: opened for a repository and a subject, written to by one request at a time, resumed after a restart.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use zot_contract::{Chunk, Context, Error, Result, Subject, UploadId, UploadStatus, Uploads};
use zot_oci::{Algorithm, Digest, RepositoryName};

use super::{
    Engine,
    body::Body,
    content::{Content, Mark, Stored, TakeError},
    open_uploads::{UPLOADS_OPEN_MAX, Upload},
};
use crate::{metadata::Outcome, sessions::SessionRecord};

/// When a client should try again if too many uploads are open.
const RETRY_AFTER: Duration = Duration::from_secs(30);

#[async_trait::async_trait]
impl Uploads for Engine {
    async fn open_upload(&self, cx: &Context, repository: &RepositoryName, algorithm: Algorithm) -> Result<UploadId> {
        let id = UploadId::random();
        self.add_upload(Upload::new(id, repository, cx.subject.clone(), Content::new(algorithm), None))?;
        Ok(id)
    }

    async fn upload_status(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<UploadStatus> {
        let upload = self.upload(cx, repository, upload).await?;
        Ok(UploadStatus { offset: upload.acknowledged() })
    }

    async fn append_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId, chunk: Chunk) -> Result<UploadStatus> {
        let upload = self.upload(cx, repository, upload).await?;
        let engine = self.clone();
        let (at, (body, _wanted)) = (chunk.at, Body::of(chunk));
        detached(async move { engine.append(&upload, at, body).await }).await
    }

    async fn finish_upload(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        upload: UploadId,
        chunk: Chunk,
        digest: &Digest,
    ) -> Result<()> {
        let upload = self.upload(cx, repository, upload).await?;
        let (engine, digest) = (self.clone(), *digest);
        let (at, (body, _wanted)) = (chunk.at, Body::of(chunk));
        detached(async move { engine.finish(&upload, at, body, &digest).await }).await
    }

    async fn cancel_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<()> {
        let upload = self.upload(cx, repository, upload).await?;
        let mut content = upload.content().ok_or(Error::UploadBusy { upload: upload.id })?;
        content.take();
        self.end(&upload, true).await?;
        Ok(())
    }
}

/// Runs work to its end even if the request that asked for it goes away: content must not be left between two states. The body then breaks off.
async fn detached<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    tokio::spawn(work).await.map_err(Error::internal)?
}

impl Engine {
    fn add_upload(&self, upload: Upload) -> Result<Arc<Upload>> {
        self.uploads.add(upload).ok_or_else(|| Error::Unavailable {
            what: "room for another upload",
            retry_after: RETRY_AFTER,
            source: format!("{UPLOADS_OPEN_MAX} uploads are open").into(),
        })
    }

    /// An upload that is open here or was saved by an earlier process.
    async fn upload(&self, cx: &Context, repository: &RepositoryName, id: UploadId) -> Result<Arc<Upload>> {
        let upload = match self.uploads.get(id) {
            Some(upload) => Some(upload),
            None => self.resume(id).await?,
        };
        upload.filter(|upload| upload.belongs_to(cx, repository)).ok_or(Error::UploadUnknown { upload: id })
    }

    async fn resume(&self, id: UploadId) -> Result<Option<Arc<Upload>>> {
        let _once = self.uploads.resuming.lock().await;
        if let Some(upload) = self.uploads.get(id) {
            return Ok(Some(upload));
        }
        let Some(saved) = self.sessions.load(id).await? else {
            return Ok(None);
        };
        let content = Content::resume(id, &saved, self.blobs.as_ref()).await?;
        let (Some(content), Ok(repository)) = (content, saved.repository.parse()) else {
            tracing::warn!(upload = %id, "saved upload does not match its bytes, dropping it");
            self.forget(id).await?;
            return Ok(None);
        };
        self.add_upload(Upload::new(id, &repository, Subject::of_name(&saved.subject), content, Some(saved.revision))).map(Some)
    }

    async fn append(&self, upload: &Upload, at: Option<u64>, body: Body) -> Result<UploadStatus> {
        let mut guard = upload.content().ok_or(Error::UploadBusy { upload: upload.id })?;
        let content = guard.as_mut().ok_or(Error::UploadUnknown { upload: upload.id })?;
        let mark = content.mark();
        let taken = self.take_in(upload, content, at, body).await;
        let kept = self.keep(upload, content, mark).await;
        let offset = content.offset();
        self.drop_damaged(upload, &mut guard).await;
        kept?;
        taken.map(|()| UploadStatus { offset })
    }

    /// Acknowledges what arrived, also if the sender broke off. What cannot be saved is not kept: the client would send it again.
    async fn keep(&self, upload: &Upload, content: &mut Content, before: Mark) -> crate::Result<()> {
        if content.offset() > upload.acknowledged()
            && let Err(error) = self.save(upload, content).await
        {
            content.go_back(before).await;
            return Err(error);
        }
        upload.acknowledge(content.offset());
        Ok(())
    }

    /// Lets go of content that cannot be trusted any more. The next request takes up what was saved, if anything was.
    async fn drop_damaged(&self, upload: &Upload, content: &mut Option<Content>) {
        if content.take_if(|content| content.is_damaged()).is_none() {
            return;
        }
        self.uploads.remove(upload.id);
        if upload.revision().is_none() {
            // If this fails too, the next start reclaims it.
            self.blobs.discard(upload.id, &[]).await.ok();
        }
    }

    async fn take_in(&self, upload: &Upload, content: &mut Content, at: Option<u64>, body: Body) -> Result<()> {
        let expected = content.offset();
        if let Some(found) = at.filter(|at| *at != expected) {
            return Err(Error::UploadOffset { upload: upload.id, expected, found });
        }
        content.take_in(upload.id, self.blobs.as_ref(), body).await.map_err(|error| match error {
            TakeError::Body(error) => Error::BodyBroken(error),
            TakeError::Store(error) => error.into(),
        })
    }

    async fn finish(&self, upload: &Upload, at: Option<u64>, body: Body, digest: &Digest) -> Result<()> {
        let mut guard = upload.content().ok_or(Error::UploadBusy { upload: upload.id })?;
        let content = guard.as_mut().ok_or(Error::UploadUnknown { upload: upload.id })?;
        content.use_algorithm(digest.algorithm()).await?;
        let mark = content.mark();
        if let Err(error) = self.take_in(upload, content, at, body).await {
            let kept = self.keep(upload, content, mark).await;
            self.drop_damaged(upload, &mut guard).await;
            return Err(kept.err().map_or(error, Into::into));
        }
        // From here on the upload ends, whatever happens: bytes that could not be made durable must not be tried again.
        let Some(content) = guard.take() else {
            return Err(Error::UploadUnknown { upload: upload.id });
        };
        let found = content.digest();
        let size = content.offset();
        let mut bytes = Some(content.bytes);
        let published = if found == *digest {
            self.publish_blob(&upload.repository, digest, size, &mut bytes).await.map_err(Error::from)
        } else {
            Err(Error::DigestMismatch { expected: *digest, found })
        };
        let left_over = published.is_err() || matches!(bytes, Some(Stored::Staged(_)));
        self.end(upload, left_over).await?;
        published
    }

    async fn save(&self, upload: &Upload, content: &Content) -> crate::Result<()> {
        let (repository, subject) = (upload.repository.to_string(), upload.subject.name().to_owned());
        let previous = upload.revision();
        let revision = previous.unwrap_or(0) + 1;
        let record = SessionRecord { repository, subject, revision, ..content.record() };
        match self.sessions.save(upload.id, &record, previous).await? {
            Outcome::Committed => upload.saved(revision),
            Outcome::Conflict => return Err(crate::Error::remote("save upload", "another process has saved it")),
        }
        Ok(())
    }

    /// Forgets an upload whose content is gone. With `discard`, bytes of it may still be staged.
    async fn end(&self, upload: &Upload, discard: bool) -> crate::Result<()> {
        self.uploads.remove(upload.id);
        if upload.revision().is_some() {
            self.sessions.remove(upload.id).await?;
        }
        if discard { self.blobs.discard(upload.id, &[]).await } else { Ok(()) }
    }

    async fn forget(&self, id: UploadId) -> crate::Result<()> {
        self.sessions.remove(id).await?;
        self.blobs.discard(id, &[]).await
    }
}

/// Saves every upload that only this process knows, so that the next one can go on. Returns the last failure; the others are saved all the same.
pub(super) async fn save_all(engine: &Engine) -> crate::Result<()> {
    let mut saved = Ok(());
    for upload in engine.uploads.all() {
        let Some(content) = upload.content() else { continue };
        if let Some(content) = content.as_ref().filter(|_| upload.revision().is_none()) {
            saved = engine.save(&upload, content).await.and(saved);
        }
    }
    saved
}

/// Ends uploads that are idle for too long, in this process or left by an earlier one.
pub(super) async fn reap(engine: &Engine, idle: Duration) -> crate::Result<usize> {
    let mut reaped = 0;
    for upload in engine.uploads.idle(idle) {
        // A busy upload is not idle, whatever its last acknowledgement.
        let Some(mut content) = upload.content() else { continue };
        content.take();
        engine.end(&upload, true).await?;
        reaped += 1;
    }
    for (id, saved) in engine.sessions.list().await? {
        let expired = SystemTime::now().duration_since(saved).is_ok_and(|age| age >= idle);
        if expired && engine.uploads.get(id).is_none() {
            engine.forget(id).await?;
            reaped += 1;
        }
    }
    Ok(reaped)
}
