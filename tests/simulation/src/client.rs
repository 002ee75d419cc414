//! What clients do: push images, read tags, list them, and remember what they were told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::TryStreamExt as _;
use tokio::time::sleep;
use zot_contract::{
    Blobs as _, Catalog as _, Context, Error, Manifests as _, PageRequest,
    suite::content::{self, CONFIG, Document, LAYER, describe},
};
use zot_gateway::cluster_registry::ClusterRegistry;
use zot_oci::{Digest, Reference, RepositoryName, Tag};

use crate::{
    gateway::{Failure, Gateways},
    history::{History, Image},
    random::Random,
};

/// The repositories that clients work in.
pub(crate) const REPOSITORIES: [&str; 3] = ["a", "b", "c"];
/// The tags that everybody moves.
const TAGS: [&str; 2] = ["latest", "stable"];
/// The most bytes of a layer: more than one chunk, and more than fits into a row, but fewer than are hashed by threads, whose pace no seed decides.
const LAYER_BYTES_MAX: u64 = 60_000;

/// A client; clones are others that know the same.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) name: String,
    pub(crate) gateways: Gateways,
    pub(crate) history: History,
    pub(crate) random: Random,
    /// How often sessions were emptied or could not be saved.
    pub(crate) unsaved: Arc<AtomicU64>,
    /// Whether to begin nothing any more.
    pub(crate) ends: Arc<AtomicBool>,
    /// The gateway that was asked last: the next one is another one.
    pub(crate) turn: Arc<AtomicUsize>,
}

impl Client {
    /// Pushes until the end.
    pub(crate) async fn push(self) {
        for number in 0.. {
            if self.ends.load(Ordering::Relaxed) {
                return;
            }
            self.push_one(number).await;
            sleep(self.random.milliseconds(50..800)).await;
        }
    }

    /// Reads until the end.
    pub(crate) async fn read(self) {
        while !self.ends.load(Ordering::Relaxed) {
            let repository = self.repository();
            if self.random.once_in(4) {
                self.list(&repository).await;
            } else {
                let tag = TAGS[self.random.place(TAGS.len())];
                self.read_tag(self.next_gateway(), &repository, tag).await.ok();
            }
            sleep(self.random.milliseconds(20..400)).await;
        }
    }

    async fn push_one(&self, number: u64) {
        let repository = self.repository();
        let length = self.random.within(10..LAYER_BYTES_MAX) as usize;
        let bytes = content::blob_of(self.random.next(), length);
        let layer = Digest::sha256(&bytes);
        if !self.upload(&repository, &bytes).await {
            return self.note(format_args!("gave up a blob of {length} bytes"));
        }
        let unique = format!("{}-{number}", self.name);
        let tag = if self.random.once_in(3) { &unique } else { TAGS[self.random.place(TAGS.len())] };
        let manifest = Document::image(&describe(CONFIG, &bytes), &[describe(LAYER, &bytes)]).push(&[tag]);
        let image = Image { repository, manifest, layer };
        self.put(&image, &tag_of(&image.repository, tag)).await;
    }

    async fn put(&self, image: &Image, tag: &str) {
        let Image { repository, manifest, .. } = image.clone();
        let digest = manifest.digest;
        self.history.know(digest, image.layer);
        self.history.register(|register| register.begin(tag, digest, self.history.step()));
        let put = async move |registry: ClusterRegistry, cx: Context| registry.put_manifest(&cx, &repository, manifest).await;
        match self.gateways.ask(self.next_gateway(), &image.repository, put).await {
            Ok(_) => {
                self.history.register(|register| register.acknowledge(tag, digest, self.history.step()));
                self.history.acknowledge(image.clone());
                self.note(format_args!("{tag} is {}", short(&digest)));
                // From that instant, through every gateway.
                if let Ok(None) = self.manifest(self.next_gateway(), &image.repository, digest.into()).await {
                    self.history.violate(format_args!("manifest {} was pushed and is not there", short(&digest)));
                }
            }
            Err(Failure::Refused(Error::ManifestBlobUnknown { digest, .. })) => {
                self.history.violate(format_args!("blob {} was pushed and is not there", short(&digest)));
            }
            Err(failure) => self.note(format_args!("{tag} may be {}: {}", short(&digest), print(&failure))),
        }
    }

    /// Reads a tag and what it points to, and notes what it was.
    pub(crate) async fn read_tag(&self, gateway: usize, repository: &RepositoryName, tag: &str) -> Result<(), Failure> {
        let began = self.history.step();
        let reference = Reference::Tag(tag.parse::<Tag>().unwrap());
        let value = self.manifest(gateway, repository, reference).await?;
        let at = (began, self.history.step());
        let name = tag_of(repository, tag);
        self.note(format_args!("reads {name} as {}", value.as_ref().map_or_else(|| "nothing".to_owned(), short)));
        if !self.history.register(|register| register.read(&name, value, at)) {
            self.history.violate(format_args!("tag {name} points to what nobody had pushed"));
        }
        match value.and_then(|digest| self.history.layer(&digest)) {
            Some(layer) => self.read_layer(gateway, repository, layer).await,
            None => Ok(()),
        }
    }

    /// The digest of a manifest, or nothing if there is none.
    pub(crate) async fn manifest(
        &self,
        gateway: usize,
        repository: &RepositoryName,
        reference: Reference,
    ) -> Result<Option<Digest>, Failure> {
        let of = repository.clone();
        let get = async move |registry: ClusterRegistry, cx: Context| registry.get_manifest(&cx, &of, &reference).await;
        match self.gateways.ask(gateway, repository, get).await {
            Ok(manifest) if Digest::sha256(&manifest.bytes) != manifest.info.digest => {
                self.history.violate(format_args!("manifest {} has other bytes", short(&manifest.info.digest)));
                Ok(Some(manifest.info.digest))
            }
            Ok(manifest) => Ok(Some(manifest.info.digest)),
            Err(Failure::Refused(Error::ManifestUnknown { .. } | Error::NameUnknown { .. })) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Reads a layer of a manifest that is there.
    pub(crate) async fn read_layer(&self, gateway: usize, repository: &RepositoryName, layer: Digest) -> Result<(), Failure> {
        let of = repository.clone();
        let read = async move |registry: ClusterRegistry, cx: Context| {
            let body = registry.read_blob(&cx, &of, &layer, None).await?;
            body.in_memory().try_collect::<Vec<Bytes>>().await
        };
        match self.gateways.ask(gateway, repository, read).await {
            Ok(pieces) if Digest::sha256(&pieces.concat()) == layer => Ok(()),
            Ok(pieces) => {
                self.history.violate(format_args!("{} bytes were served as {}, which they are not", pieces.concat().len(), short(&layer)));
                Ok(())
            }
            Err(Failure::Refused(Error::BlobUnknown { .. } | Error::NameUnknown { .. })) => {
                self.history.violate(format_args!("blob {} of a manifest is not there", short(&layer)));
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    /// Lists tags: all that were acknowledged before are there.
    async fn list(&self, repository: &RepositoryName) {
        self.list_through(self.next_gateway(), repository).await.ok();
    }

    pub(crate) async fn list_through(&self, gateway: usize, repository: &RepositoryName) -> Result<(), Failure> {
        let start = tag_of(repository, "");
        let acknowledged = self.history.register(|register| register.acknowledged());
        let of = repository.clone();
        let list = async move |registry: ClusterRegistry, cx: Context| registry.list_tags(&cx, &of, &PageRequest::first(10_000)).await;
        let tags: Vec<String> = match self.gateways.ask(gateway, repository, list).await {
            Ok(page) => page.entries.iter().map(ToString::to_string).collect(),
            Err(Failure::Refused(Error::NameUnknown { .. })) => Vec::new(),
            Err(failure) => return Err(failure),
        };
        self.note(format_args!("lists {} tags of {repository}", tags.len()));
        if !tags.is_sorted() {
            self.history.violate(format_args!("tags of {repository} are listed in no order"));
        }
        for tag in acknowledged.iter().filter_map(|tag| tag.strip_prefix(&start)) {
            if !tags.iter().any(|listed| listed == tag) {
                self.history.violate(format_args!("tag {start}{tag} was pushed and is not listed"));
            }
        }
        Ok(())
    }

    /// Another gateway each time.
    pub(crate) fn next_gateway(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed) % self.gateways.len()
    }

    pub(crate) fn note(&self, what: impl std::fmt::Display) {
        self.history.note(format_args!("{} {what}", self.name));
    }

    pub(crate) async fn pause(&self) {
        sleep(self.random.milliseconds(50..500)).await;
    }

    fn repository(&self) -> RepositoryName {
        content::repository(REPOSITORIES[self.random.place(REPOSITORIES.len())])
    }
}

/// How long a client that verifies waits before it asks again.
pub(crate) const ASK_AGAIN: Duration = Duration::from_millis(500);

fn tag_of(repository: &RepositoryName, tag: &str) -> String {
    format!("{repository}:{tag}")
}

pub(crate) fn short(digest: &Digest) -> String {
    digest.hex()[..8].to_owned()
}

/// A failure without what differs from run to run, such as the identity of an upload.
pub(crate) fn print(failure: &Failure) -> &'static str {
    match failure {
        Failure::Lost => "no answer",
        Failure::Refused(Error::Unavailable { .. }) => "not available",
        Failure::Refused(Error::UploadBusy { .. }) => "busy",
        Failure::Refused(Error::UploadOffset { .. }) => "another offset",
        Failure::Refused(Error::UploadUnknown { .. }) => "no such upload",
        Failure::Refused(Error::Internal(_)) => "internal error",
        Failure::Refused(_) => "refused",
    }
}
