//! Uploads: opened for a repository and a subject, written to by one request at a time, resumed after a restart.

use std::{sync::Arc, time::Duration};

use zot_contract::{Chunk, Context, Error, Result, UploadId, UploadStatus, Uploads, Written};
use zot_oci::{Algorithm, Digest, RepositoryName};

use super::{
    Engine,
    body::Body,
    content::{Content, Mark, Stored, TakeError},
    handover::{self, Next},
    open_uploads::{Added, UPLOADS_OPEN_MAX, Upload},
};
use crate::metadata::Outcome;

/// When a client should try again if too many uploads are open.
const RETRY_AFTER: Duration = Duration::from_secs(30);

#[async_trait::async_trait]
impl Uploads for Engine {
    async fn open_upload(&self, cx: &Context, repository: &RepositoryName, algorithm: Algorithm) -> Result<UploadId> {
        let id = UploadId::random();
        let upload =
            self.add_upload(Upload::new(id, repository, cx.subject.clone(), Content::new(algorithm, self.blobs.staging()), None)).await?;
        if self.sessions.shared()
            && let Some(content) = upload.content().as_deref().and_then(Option::as_ref)
        {
            self.save(&upload, content.record(), Next::Going).await?;
        }
        Ok(id)
    }

    async fn upload_status(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<UploadStatus> {
        let found = self.upload(cx, repository, upload).await;
        // What cannot be gone on with at this moment is as far as it was acknowledged all the same.
        if matches!(found, Err(Error::Unavailable { .. }))
            && let Some(offset) = self.saved_offset(cx, repository, upload).await?
        {
            return Ok(UploadStatus { offset });
        }
        let Found { upload, doubt } = found?;
        doubt.map_or(Ok(UploadStatus { offset: upload.acknowledged() }), Err)
    }

    async fn append_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId, chunk: Chunk) -> Result<UploadStatus> {
        let Found { upload, doubt } = self.upload(cx, repository, upload).await?;
        let engine = self.clone();
        let (body, _wanted) = Body::of(cx.operation, chunk);
        detached(async move { doubted(engine.append(&upload, body).await, doubt) }).await
    }

    async fn finish_upload(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        upload: UploadId,
        chunk: Chunk,
        digest: &Digest,
    ) -> Result<()> {
        let Found { upload, doubt } = match self.upload(cx, repository, upload).await {
            Ok(found) => found,
            Err(error) => return self.refuse(cx, error).await,
        };
        let (engine, cx, digest) = (self.clone(), cx.clone(), *digest);
        let (body, _wanted) = Body::of(cx.operation, chunk);
        detached(async move {
            match doubted(engine.finish(&cx, &upload, body, &digest).await, doubt) {
                Ok(()) => Ok(()),
                Err(error) => engine.refuse(&cx, error).await,
            }
        })
        .await
    }

    async fn cancel_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<()> {
        let Found { upload, .. } = self.upload(cx, repository, upload).await?;
        let mut guard = upload.content().ok_or(Error::UploadBusy { upload: upload.id })?;
        let content = guard.take().ok_or(Error::UploadUnknown { upload: upload.id })?;
        match self.end(&upload, Some(content)).await? {
            Outcome::Committed => Ok(()),
            Outcome::Conflict => Err(self.lost(upload.id).await),
        }
    }
}

/// An upload that this process has.
struct Found {
    upload: Arc<Upload>,
    /// Why nobody can tell whether another process went on with it since, if nobody can.
    doubt: Option<Error>,
}

/// What came of a request to an upload. Where it is in doubt that this process has the upload as it is, it does not say how far it is.
fn doubted<T>(answer: Result<T>, doubt: Option<Error>) -> Result<T> {
    match (answer, doubt) {
        (Err(Error::UploadOffset { .. }), Some(doubt)) => Err(doubt),
        (answer, _) => answer,
    }
}

/// Runs work to its end even if the request that asked for it goes away: content must not be left between two states. The body then breaks off.
async fn detached<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    tokio::spawn(work).await.map_err(Error::internal)?
}

impl Engine {
    /// Adds an upload. Whoever finds no room waits until those are over that have to give way: uploads are not opened faster than others end.
    pub(super) async fn add_upload(&self, upload: Upload) -> Result<Arc<Upload>> {
        let Added { upload, given_up } = self.uploads.add(upload).ok_or_else(|| Error::Unavailable {
            what: "room for another upload",
            retry_after: RETRY_AFTER,
            source: format!("{UPLOADS_OPEN_MAX} uploads are open").into(),
        })?;
        if !given_up.is_empty() {
            let engine = self.clone();
            detached(async move {
                handover::give_up(&engine, given_up).await;
                Ok(())
            })
            .await?;
        }
        Ok(upload)
    }

    /// An upload that is open here or was saved by an earlier or another process.
    async fn upload(&self, cx: &Context, repository: &RepositoryName, id: UploadId) -> Result<Found> {
        let mut doubt = None;
        let upload = match self.uploads.get(id) {
            Some(upload) if self.sessions.shared() => match self.is_overtaken(&upload).await {
                Ok(true) => self.resume(id, cx.operation).await?,
                Ok(false) => Some(upload),
                Err(error) => {
                    doubt = Some(error.into());
                    Some(upload)
                }
            },
            Some(upload) => Some(upload),
            None => self.resume(id, cx.operation).await?,
        };
        let upload = upload.filter(|upload| upload.belongs_to(cx, repository)).ok_or(Error::UploadUnknown { upload: id })?;
        Ok(Found { upload, doubt })
    }

    async fn append(&self, upload: &Upload, body: Body) -> Result<UploadStatus> {
        let mut guard = upload.content().ok_or(Error::UploadBusy { upload: upload.id })?;
        let content = guard.as_mut().ok_or(Error::UploadUnknown { upload: upload.id })?;
        let mark = content.mark();
        let taken = self.take_in(upload, content, body, false).await;
        let offset = content.offset();
        let kept = self.keep(upload, &mut guard, mark).await;
        self.drop_damaged(upload, &mut guard).await;
        kept?;
        taken.map(|()| UploadStatus { offset })
    }

    /// Acknowledges what arrived, also if the sender broke off. What cannot be saved is not kept: the client would send it again.
    async fn keep(&self, upload: &Upload, guard: &mut Option<Content>, before: Mark) -> Result<()> {
        let Some(content) = guard else { return Ok(()) };
        if content.offset() > upload.acknowledged() {
            match self.save(upload, content.record(), Next::Going).await {
                Ok(Outcome::Committed) => {}
                Ok(Outcome::Conflict) => return Err(self.let_go(upload, guard).await),
                Err(error) => {
                    content.go_back(before).await;
                    return Err(error.into());
                }
            }
        }
        upload.acknowledge(content.offset());
        Ok(())
    }

    /// Forgets an upload whose session is not the one that this process saved, and whose bytes are no longer its own. Returns the refusal.
    async fn let_go(&self, upload: &Upload, content: &mut Option<Content>) -> Error {
        content.take();
        self.uploads.remove(upload);
        self.lost(upload.id).await
    }

    /// What is to be said of an upload that this process does not have any more. Where another one went on with it, it is busy; where there is no
    /// session, it is over, or the sessions were lost and it starts over; and where nobody can tell, it is not said to be unknown.
    async fn lost(&self, id: UploadId) -> Error {
        match self.sessions.load(id).await {
            Ok(Some(saved)) if !saved.ended => Error::UploadBusy { upload: id },
            Ok(_) => Error::UploadUnknown { upload: id },
            Err(error) => error.into(),
        }
    }

    /// Lets go of content that cannot be trusted any more. The next request takes up what was saved, if anything was and it is there.
    async fn drop_damaged(&self, upload: &Upload, content: &mut Option<Content>) {
        let Some(content) = content.take_if(|content| content.is_damaged()) else { return };
        self.uploads.remove(upload);
        if upload.stored().revision.is_none() {
            // If this fails too, the next start reclaims it.
            content.discard().await.ok();
        } else if self.sessions.shared() && content.stage_state().is_empty() {
            // Nobody else could go on from what was saved either. If this fails, the next request comes here again.
            self.end(upload, Some(content)).await.ok();
        }
    }

    /// Takes in what is not there yet from another attempt at the same.
    async fn take_in(&self, upload: &Upload, content: &mut Content, body: Body, last: bool) -> Result<()> {
        let expected = content.offset();
        let from = Written::from(content.written, body.operation, expected);
        if let Some(found) = body.at.filter(|at| *at != from) {
            return Err(Error::UploadOffset { upload: upload.id, expected, found });
        }
        content.written = body.operation.map(|operation| Written { operation: operation.id, from });
        let body = body.after(expected - from);
        content.take_in(upload.id, self.blobs.as_ref(), body, last).await.map_err(|error| match error {
            TakeError::Body(error) => Error::BodyBroken(error),
            TakeError::Store(error) => error.into(),
        })
    }

    async fn finish(&self, cx: &Context, upload: &Upload, body: Body, digest: &Digest) -> Result<()> {
        let mut guard = upload.content().ok_or(Error::UploadBusy { upload: upload.id })?;
        let content = guard.as_mut().ok_or(Error::UploadUnknown { upload: upload.id })?;
        content.use_algorithm(digest.algorithm()).await?;
        let mark = content.mark();
        if let Err(error) = self.take_in(upload, content, body, true).await {
            let kept = self.keep(upload, &mut guard, mark).await;
            self.drop_damaged(upload, &mut guard).await;
            return Err(kept.err().unwrap_or(error));
        }
        // Whoever takes the upload up needs what comes last once more: it was not acknowledged.
        if self.sessions.shared() && self.save(upload, content.record_at(&mark), Next::Finishing).await? == Outcome::Conflict {
            return Err(self.let_go(upload, &mut guard).await);
        }
        let found = content.digest();
        let published = if found == *digest {
            let (size, bytes) = (content.offset(), &mut content.bytes);
            self.publish_blob(cx, &upload.repository, digest, size, bytes).await.map_err(Error::from)
        } else {
            Err(Error::DigestMismatch { expected: *digest, found })
        };
        if published.is_err() && found == *digest {
            content.go_back(mark).await;
            if !content.is_damaged() {
                return self.go_on(upload, &mut guard).await.and(published);
            }
        }
        let left_over = published.is_err() || matches!(content.bytes, Stored::Staged(_));
        let ended = self.end(upload, guard.take().filter(|_| left_over)).await;
        // If another process went on with what is a blob by now, that is no concern of the client's.
        published.and(ended.map(drop).map_err(Error::from))
    }

    /// Keeps an upload that could not be made a blob as it was before, so that its client can try again here or elsewhere.
    async fn go_on(&self, upload: &Upload, guard: &mut Option<Content>) -> Result<()> {
        let Some(content) = guard else { return Ok(()) };
        if self.sessions.shared() && self.save(upload, content.record(), Next::Going).await? == Outcome::Conflict {
            return Err(self.let_go(upload, guard).await);
        }
        upload.acknowledge(content.offset());
        Ok(())
    }
}
