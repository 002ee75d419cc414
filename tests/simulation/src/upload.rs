//! One upload, in chunks, each through another gateway: it goes on at the offset that was acknowledged.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use zot_contract::{Blobs as _, Chunk, Context, Error, UploadId, Uploads as _};
use zot_gateway::cluster_registry::ClusterRegistry;
use zot_oci::{Algorithm, Digest, RepositoryName};

use crate::{
    client::{Client, print},
    gateway::Failure,
};

/// How often one upload is tried to be carried on.
const ATTEMPTS_MAX: u32 = 40;
/// Chunks of an upload that nothing disturbs.
const CHUNKS: usize = 3;

/// An upload as its client knows it.
struct Upload<'a> {
    client: &'a Client,
    repository: &'a RepositoryName,
    id: UploadId,
    bytes: &'a Bytes,
    /// The bytes that were acknowledged, and those that were ever sent.
    acknowledged: usize,
    sent: usize,
    /// How often sessions had not been saved when it was opened.
    unsaved: u64,
    /// Whether it may have been finished without this client being told.
    finishing: bool,
}

/// How an upload went on.
enum Step {
    Further,
    Finished,
    /// It is no more: the blob is to be pushed again.
    Over,
}

impl Client {
    /// Pushes a blob. Returns whether that was acknowledged.
    pub(crate) async fn upload(&self, repository: &RepositoryName, bytes: &Bytes) -> bool {
        let unsaved = self.unsaved.load(Ordering::Relaxed);
        let of = repository.clone();
        let open = async move |registry: ClusterRegistry, cx: Context| registry.open_upload(&cx, &of, Algorithm::Sha256).await;
        let Ok(id) = self.gateways.ask(self.next_gateway(), repository, open).await else { return false };
        let mut upload = Upload { client: self, repository, id, bytes, acknowledged: 0, sent: 0, unsaved, finishing: false };
        for _ in 0..ATTEMPTS_MAX {
            match upload.go_on().await {
                Step::Further => {}
                Step::Finished => return true,
                Step::Over => return false,
            }
            if self.ends.load(Ordering::Relaxed) {
                return false;
            }
        }
        false
    }
}

impl Upload<'_> {
    async fn go_on(&mut self) -> Step {
        let done = if self.acknowledged == self.bytes.len() { self.finish().await } else { self.append().await };
        match done {
            Ok(step) => step,
            Err(failure) => {
                self.client.note(format_args!("upload at {}: {}", self.acknowledged, print(&failure)));
                if let Failure::Refused(Error::DigestMismatch { .. }) = failure {
                    self.client.history.violate("an upload has other bytes than were sent");
                    return Step::Over;
                }
                self.client.pause().await;
                self.ask().await
            }
        }
    }

    async fn append(&mut self) -> Result<Step, Failure> {
        let (id, of, from) = (self.id, self.repository.clone(), self.acknowledged);
        let to = (from + self.bytes.len().div_ceil(CHUNKS)).min(self.bytes.len());
        self.sent = self.sent.max(to);
        let chunk = Chunk::of(self.bytes.slice(from..to)).at(from as u64);
        let append = async move |registry: ClusterRegistry, cx: Context| registry.append_upload(&cx, &of, id, chunk).await;
        let status = self.client.gateways.ask(self.client.next_gateway(), self.repository, append).await?;
        if status.offset != to as u64 {
            self.client.history.violate(format_args!("a chunk up to byte {to} was acknowledged at {}", status.offset));
        }
        self.acknowledged = to;
        Ok(Step::Further)
    }

    async fn finish(&mut self) -> Result<Step, Failure> {
        let (id, of, digest) = (self.id, self.repository.clone(), Digest::sha256(self.bytes));
        let chunk = Chunk::empty().at(self.acknowledged as u64);
        self.finishing = true;
        let finish = async move |registry: ClusterRegistry, cx: Context| registry.finish_upload(&cx, &of, id, chunk, &digest).await;
        self.client.gateways.ask(self.client.next_gateway(), self.repository, finish).await?;
        Ok(Step::Finished)
    }

    /// Asks how far it is.
    async fn ask(&mut self) -> Step {
        let (id, of) = (self.id, self.repository.clone());
        let status = async move |registry: ClusterRegistry, cx: Context| registry.upload_status(&cx, &of, id).await;
        match self.client.gateways.ask(self.client.next_gateway(), self.repository, status).await {
            Ok(status) => {
                let offset = status.offset as usize;
                if (offset < self.acknowledged && self.is_saved()) || offset > self.sent {
                    let (known, sent) = (self.acknowledged, self.sent);
                    self.client.history.violate(format_args!("an upload is at {offset}, after {known} was acknowledged and {sent} sent"));
                    return Step::Over;
                }
                self.acknowledged = offset;
                Step::Further
            }
            Err(Failure::Refused(Error::UploadUnknown { .. })) => self.is_unknown().await,
            Err(_) => Step::Further,
        }
    }

    /// Whether all that was acknowledged of it is certainly in the sessions.
    fn is_saved(&self) -> bool {
        self.client.unsaved.load(Ordering::Relaxed) == self.unsaved
    }

    /// It is gone: because it was finished, or because the sessions were emptied.
    async fn is_unknown(&self) -> Step {
        if self.acknowledged > 0 && self.is_saved() && !self.finishing {
            self.client.history.violate(format_args!("an upload of which {} bytes were acknowledged is gone", self.acknowledged));
        }
        let (of, digest) = (self.repository.clone(), Digest::sha256(self.bytes));
        let stat = async move |registry: ClusterRegistry, cx: Context| registry.stat_blob(&cx, &of, &digest).await;
        match self.client.gateways.ask(self.client.next_gateway(), self.repository, stat).await {
            Ok(_) => Step::Finished,
            Err(_) => Step::Over,
        }
    }
}
