//! Uploads from process to process: saved so that another can go on, and given up by whoever was overtaken.
//!
//! Where processes share the sessions, several may have one upload in memory. The stored session decides which of them is current: it is replaced
//! under the condition that nobody else has replaced it, before anything is acknowledged. Who loses drops its memory, and touches nothing
//! that the winner may need. If the sessions are out of reach, a process goes on with what it has in memory, without saving it.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use uuid::Uuid;
use zot_contract::{Context, Error, Operation, Result, Subject, UploadId};
use zot_oci::RepositoryName;

use super::{
    Engine,
    content::Content,
    left_uploads::LeftUpload,
    open_uploads::{Stored, Upload},
};
use crate::{error::chain, metadata::Outcome, sessions::SessionRecord};

/// How long a process may take to make a blob of an upload. Afterwards others may try: the same bytes come to the same blob.
const FINISHING_MAX: Duration = Duration::from_secs(60);

/// When a client should try again meanwhile: most are done much sooner.
const FINISHING_RETRY_AFTER: Duration = Duration::from_secs(5);

/// How many uploads are ended at a time to make room: a remote store answers many as soon as one.
const ENDED_AT_A_TIME: usize = 32;

/// What is to become of an upload once it is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Going,
    Finishing,
}

impl Engine {
    /// Whether another process went on with an upload that is open here; this one then knows nothing of it any more. Fails if nobody can tell.
    pub(super) async fn is_overtaken(&self, upload: &Upload) -> crate::Result<bool> {
        let known = upload.stored();
        let found = match self.sessions.load(upload.id).await {
            Ok(found) => found.map(|session| session.revision),
            Err(error) => {
                self.uploads.sessions_reached(Some(&error));
                // What could not be saved is known to nobody else.
                return if known.is_behind() { Ok(false) } else { Err(error) };
            }
        };
        self.uploads.sessions_reached(None);
        // A store that has lost everything is as good as one that was never told of what is in memory alone.
        let current = found == known.revision || (found.is_some() && found == known.attempted) || (found.is_none() && known.is_behind());
        if current {
            return Ok(false);
        }
        // If it is being written to or was saved since, it is this process that went on.
        let Some(mut content) = upload.content() else { return Ok(false) };
        if upload.stored() != known {
            return Ok(false);
        }
        content.take();
        self.uploads.remove(upload);
        Ok(true)
    }

    /// Takes up an upload that was saved, for an operation on it.
    pub(super) async fn resume(&self, id: UploadId, operation: Option<Operation>) -> Result<Option<Arc<Upload>>> {
        let _once = self.uploads.resuming(id).await;
        if let Some(upload) = self.uploads.get(id) {
            return Ok(Some(upload));
        }
        let Some(saved) = self.sessions.load(id).await?.filter(|saved| !saved.ended) else {
            return Ok(None);
        };
        // Who was not heard while it made a blob of it is not waited for by another attempt at the same. A clock that is far off protects nobody, and
        // locks nobody out.
        let is_same = operation.is_some_and(|operation| operation.again && saved.operation == operation.id.as_bytes()[..]);
        if !is_same && self.wall.unix_ms().abs_diff(saved.finishing_unix_ms) < FINISHING_MAX.as_millis() as u64 {
            // Its client may be the one who was not told how that ended.
            return Err(Error::Unavailable {
                what: "an upload that is being made a blob",
                retry_after: FINISHING_RETRY_AFTER,
                source: format!("a process began to within the last {FINISHING_MAX:?}").into(),
            });
        }
        let content = Content::resume(id, &saved, self.blobs.as_ref()).await?;
        let (Some(content), Ok(repository)) = (content, saved.repository.parse()) else {
            tracing::warn!(upload = %id, "saved upload does not match its bytes, dropping it");
            self.forget(id, &saved).await?;
            return Ok(None);
        };
        self.add_upload(Upload::new(id, &repository, Subject::of_name(&saved.subject), content, Some(saved.revision))).await.map(Some)
    }

    /// How far an upload of a client that was saved was acknowledged, whoever is at it.
    pub(super) async fn saved_offset(&self, cx: &Context, repository: &RepositoryName, id: UploadId) -> crate::Result<Option<u64>> {
        let saved = self.sessions.load(id).await?.filter(|saved| !saved.ended);
        let own = saved.filter(|saved| saved.repository == repository.as_str() && Subject::of_name(&saved.subject) == cx.subject);
        Ok(own.map(|saved| saved.offset))
    }

    /// Saves an upload. It conflicts if another process has saved it since.
    pub(super) async fn save(&self, upload: &Upload, record: SessionRecord, next: Next) -> crate::Result<Outcome> {
        let record = SessionRecord {
            repository: upload.repository.to_string(),
            subject: upload.subject.name().to_owned(),
            finishing_unix_ms: if next == Next::Finishing { self.wall.unix_ms() } else { 0 },
            ..record
        };
        let saved = self.try_save(upload, record).await;
        match saved {
            Err(error) if self.sessions.shared() => {
                self.uploads.sessions_reached(Some(&error));
                Ok(Outcome::Committed)
            }
            saved => saved,
        }
    }

    async fn try_save(&self, upload: &Upload, record: SessionRecord) -> crate::Result<Outcome> {
        let Stored { revision: previous, attempted } = upload.stored();
        let outcome = self.save_after(upload, &record, previous).await?;
        if outcome == Outcome::Committed || attempted.is_none() {
            return Ok(outcome);
        }
        // An earlier attempt may have succeeded without an answer, or the store may have lost everything.
        match self.sessions.load(upload.id).await?.map(|saved| saved.revision) {
            found if found.is_none() || found == attempted => self.save_after(upload, &record, found).await,
            _ => Ok(Outcome::Conflict),
        }
    }

    async fn save_after(&self, upload: &Upload, record: &SessionRecord, previous: Option<u64>) -> crate::Result<Outcome> {
        // One that may have been stored already is told apart from everybody else's.
        let revision = upload.stored().attempted.filter(|attempted| Some(*attempted) != previous).unwrap_or_else(random_revision);
        let record = SessionRecord { revision, ..record.clone() };
        let saved = self.sessions.save(upload.id, &record, previous).await;
        match &saved {
            Ok(Outcome::Committed) => upload.set_stored(Stored { revision: Some(revision), attempted: None }),
            Ok(Outcome::Conflict) => {}
            Err(_) => upload.set_stored(Stored { revision: previous, attempted: Some(revision) }),
        }
        saved
    }

    /// Ends an upload, and drops what is left of it. It conflicts if another process went on with it.
    pub(super) async fn end(&self, upload: &Upload, left: Option<Content>) -> crate::Result<Outcome> {
        self.uploads.remove(upload);
        if self.sessions.shared() { self.end_shared(upload, left).await } else { self.end_own(upload, left).await }
    }

    async fn end_own(&self, upload: &Upload, left: Option<Content>) -> crate::Result<Outcome> {
        if upload.stored().revision.is_some() {
            self.sessions.remove(upload.id).await?;
        }
        if let Some(content) = left {
            content.discard().await?;
        }
        Ok(Outcome::Committed)
    }

    async fn end_shared(&self, upload: &Upload, left: Option<Content>) -> crate::Result<Outcome> {
        let Some(content) = left else {
            // The blob is there: whoever still has the upload has nothing to add to it.
            let removed = self.sessions.remove(upload.id).await;
            self.uploads.sessions_reached(removed.as_ref().err());
            return Ok(Outcome::Committed);
        };
        let (stage_state, repository) = (content.stage_state(), upload.repository.to_string());
        let session = SessionRecord { ended: true, stage_state, repository, ..Default::default() };
        match self.try_save(upload, session).await {
            Ok(Outcome::Conflict) => Ok(Outcome::Conflict),
            Ok(Outcome::Committed) => {
                if let Err(error) = self.drop_ended(upload.id, content.discard()).await {
                    // Its session says that it is over, so that it is tried again when that expires.
                    tracing::warn!(upload = %upload.id, error = %chain(&error), "could not drop the bytes of an upload that is over");
                }
                Ok(Outcome::Committed)
            }
            Err(error) => {
                // Whether another process goes on cannot be known, so that its bytes stay until they expire.
                self.uploads.sessions_reached(Some(&error));
                Ok(Outcome::Committed)
            }
        }
    }

    /// Forgets an upload that no process goes on with, unless one has done so since it was `saved`. Says whether it is forgotten.
    async fn forget(&self, id: UploadId, saved: &SessionRecord) -> crate::Result<bool> {
        let ended = SessionRecord { ended: true, revision: random_revision(), ..saved.clone() };
        if self.sessions.save(id, &ended, Some(saved.revision)).await? == Outcome::Conflict {
            return Ok(false);
        }
        let discard = async {
            // Who has ended it before, and said so nowhere, may still come with rows that speak of what has become a blob: not of these any more.
            for place in self.blobs.discard(id, &saved.stage_state).await? {
                self.condemn(place).await?;
            }
            Ok(())
        };
        self.drop_ended(id, discard).await?;
        Ok(true)
    }

    async fn drop_ended(&self, id: UploadId, discard: impl Future<Output = crate::Result<()>>) -> crate::Result<()> {
        discard.await?;
        self.sessions.remove(id).await
    }
}

/// Too many to meet twice in the life of an upload, and exact in every number format.
fn random_revision() -> u64 {
    Uuid::new_v4().as_u64_pair().0 >> 16
}

/// Saves every upload of which only this process knows all, so that the next one can go on. Returns the last failure; the others are saved all
/// the same.
pub(super) async fn save_all(engine: &Engine) -> crate::Result<()> {
    let mut saved = Ok(());
    for upload in engine.uploads.all() {
        let Some(content) = upload.content() else { continue };
        if let Some(content) = content.as_ref().filter(|_| upload.stored().is_behind()) {
            saved = engine.save(&upload, content.record(), Next::Going).await.and(saved);
        }
    }
    saved
}

/// Saves the sessions of uploads that are being written to as they are, so that no process takes them for abandoned.
async fn keep_busy(engine: &Engine) -> crate::Result<()> {
    for upload in engine.uploads.all().into_iter().filter(|upload| upload.content().is_none()) {
        let saved = engine.sessions.load(upload.id).await?;
        if let Some(saved) = saved.filter(|saved| Some(saved.revision) == upload.stored().revision) {
            // With its revision it stays, for the writer, what it was. If it conflicts, it has just been saved.
            engine.sessions.save(upload.id, &saved, Some(saved.revision)).await?;
        }
    }
    Ok(())
}

/// Lets go of uploads in this process that are idle for too long, and keeps others from doing so with those that it writes to.
pub(super) async fn reap_open(engine: &Engine, idle: Duration) -> crate::Result<usize> {
    let mut reaped = 0;
    if engine.sessions.shared() {
        let kept = keep_busy(engine).await;
        engine.uploads.sessions_reached(kept.as_ref().err());
    }
    for upload in engine.uploads.idle(idle) {
        // A busy upload is not idle, whatever its last acknowledgement.
        let Some(mut content) = upload.content() else { continue };
        let Some(content) = content.take() else { continue };
        if engine.sessions.shared() && upload.stored().revision.is_some() {
            // Another process may have gone on with it: its session tells.
            engine.uploads.remove(&upload);
        } else if engine.end(&upload, Some(content)).await? == Outcome::Committed {
            reaped += 1;
        }
    }
    Ok(reaped)
}

/// Ends uploads that left the memory and for which there is no room any more, unless somebody went on with them since. Where that fails, whoever
/// waits for it waits no longer: the rest expires.
pub(super) async fn give_up(engine: &Engine, uploads: Vec<LeftUpload>) {
    let ending = stream::iter(uploads).map(async |LeftUpload { id, revision }| {
        let saved = engine.sessions.load(id).await?;
        match saved.filter(|saved| saved.revision == revision && engine.uploads.get(id).is_none()) {
            Some(saved) => engine.forget(id, &saved).await,
            None => Ok(false),
        }
    });
    let ended =
        ending.buffer_unordered(ENDED_AT_A_TIME).try_fold(0, async |given_up: usize, ended| Ok(given_up + usize::from(ended))).await;
    match ended {
        Ok(0) => {}
        Ok(given_up) => tracing::warn!(given_up, "too many uploads are abandoned, the oldest are over"),
        Err(error) => tracing::warn!(error = %chain(&error), "could not end uploads that are abandoned, they expire"),
    }
}

/// Ends saved uploads that are idle for too long and that no process writes to.
pub(super) async fn reap_saved(engine: &Engine, idle: Duration) -> crate::Result<usize> {
    let mut reaped = 0;
    for (id, saved) in engine.sessions.list().await? {
        let expired = engine.wall.now().duration_since(saved).is_ok_and(|age| age >= idle);
        // Whoever writes to an upload for long sees to it that it was saved not long ago.
        if expired
            && engine.uploads.get(id).is_none()
            && let Some(saved) = engine.sessions.load(id).await?
            && engine.forget(id, &saved).await?
        {
            reaped += 1;
        }
    }
    Ok(reaped)
}
