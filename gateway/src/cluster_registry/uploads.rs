//! Uploads to the cluster.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use zot_contract::{Blobs as _, Chunk, Context, Error, Result, UploadId, UploadStatus, Uploads};
use zot_oci::{Algorithm, Digest, RepositoryName};
use zot_proto::Unreachable;

use super::{ClusterRegistry, ask::Act, members::Remote, replay::Replay, unavailable};

#[async_trait::async_trait]
impl Uploads for ClusterRegistry {
    async fn open_upload(&self, cx: &Context, repository: &RepositoryName, algorithm: Algorithm) -> Result<UploadId> {
        self.ask(cx, repository, Act::Change, |node, cx| async move { node.open_upload(&cx, repository, algorithm).await }).await
    }

    async fn upload_status(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<UploadStatus> {
        self.ask(cx, repository, Act::Change, |node, cx| async move { node.upload_status(&cx, repository, upload).await }).await
    }

    async fn append_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId, chunk: Chunk) -> Result<UploadStatus> {
        let body = &Replay::new(chunk);
        let append = |node: Arc<Remote>, cx: Context| async move { node.append_upload(&cx, repository, upload, body.lend()?).await };
        self.ask(cx, repository, Act::Change, append).await.map_err(|error| contested(error, body))
    }

    async fn finish_upload(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        upload: UploadId,
        chunk: Chunk,
        digest: &Digest,
    ) -> Result<()> {
        let body = &Replay::new(chunk);
        let finish = |node: Arc<Remote>, cx: Context| async move {
            let chunk = body.lend()?;
            node.finish_upload(&cx, repository, upload, chunk, digest).await
        };
        match self.ask(cx, repository, Act::Change, finish).await {
            // The upload may be over because the member that was asked first finished it before it fell silent.
            Err(Error::UploadUnknown { .. }) if body.was_lent_again() && self.stat_blob(cx, repository, digest).await.is_ok() => Ok(()),
            answer => answer.map_err(|error| contested(error, body)),
        }
    }

    async fn cancel_upload(&self, cx: &Context, repository: &RepositoryName, upload: UploadId) -> Result<()> {
        let unheard = &AtomicBool::default();
        let cancel = |node: Arc<Remote>, cx: Context| async move {
            let answer = node.cancel_upload(&cx, repository, upload).await;
            unheard.fetch_or(answer.as_ref().is_err_and(Unreachable::caused), Ordering::Relaxed);
            answer
        };
        match self.ask(cx, repository, Act::Change, cancel).await {
            // What is not there any more is what an attempt has ended whose answer was not heard.
            Err(Error::UploadUnknown { .. }) if unheard.load(Ordering::Relaxed) => Ok(()),
            answer => answer,
        }
    }
}

/// Of an upload that the member is at that was asked first, the next one says that it is busy: not the client's doing, and soon over.
fn contested(error: Error, body: &Replay) -> Error {
    if matches!(error, Error::UploadBusy { .. }) && body.was_lent_again() {
        return unavailable("the upload is still being written to by a node that did not answer");
    }
    error
}
