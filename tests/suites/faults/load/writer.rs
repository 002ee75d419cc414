//! One writer: it owns its images and private tags, and fights with the others over `latest`.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use serde_json::Value as Json;
use zot_tests::{Client, Image, Manifest, client::Call, content::media_type, digest_of};

use super::{
    attempt::{Stopped, attempt},
    content,
    upload::{AfterFailure, Upload},
};
use crate::{
    model::{Fact, Model, Pending},
    random::Random,
};

/// Repositories that all writers push to; of a cluster's nodes each owns some.
const REPOSITORIES: [&str; 6] = ["alpha", "alpha/nested", "beta", "gamma/delta", "epsilon", "zeta/eta/theta"];
/// Private tags of a writer in each repository.
const TAGS: u64 = 5;
/// How long a writer rests after the registry refused for lack of storage.
const REST: Duration = Duration::from_millis(5);

/// A manifest that a writer pushed, or tried to.
#[derive(Debug, Clone)]
struct Pushed {
    repository: String,
    manifest: Manifest,
    /// Whether `latest` may ever have shown it. Deleting it would take away the tag of another writer.
    contested: bool,
    /// Whether it is the child or the subject of another.
    needed: bool,
}

impl Pushed {
    fn fact(&self) -> Fact {
        Fact::manifest(&self.repository, &self.manifest.digest())
    }
}

/// One writer.
#[derive(Debug)]
pub(super) struct Writer {
    number: u64,
    random: Random,
    model: Model,
    pushed: Vec<Pushed>,
    loose_blobs: Vec<Fact>,
    upload: Option<Upload>,
    when_gone: WhenGone,
}

/// What a writer does when a connection breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenGone {
    /// It stops: the registry was one process.
    Stop,
    /// It goes on with others, which have what an upload had unless that may be lost.
    GoOn(AfterFailure),
}

impl Writer {
    pub(super) fn new(number: u64, random: Random, model: Model, when_gone: WhenGone) -> Self {
        Self { number, random, model, pushed: Vec::new(), loose_blobs: Vec::new(), upload: None, when_gone }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Works until told to stop, or until the registry is gone.
    pub(super) async fn work(&mut self, client: &Client, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            match self.step(client).await {
                Ok(()) => {}
                Err(Stopped::Gone) if self.when_gone == WhenGone::Stop => return,
                Err(Stopped::Gone | Stopped::Unavailable) => {
                    self.model.refused();
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    async fn step(&mut self, client: &Client) -> Result<(), Stopped> {
        match self.random.within(0..20) {
            0..7 => self.push_image(client).await,
            7..10 => self.go_on_with_upload(client).await,
            10..12 => self.push_loose_blob(client).await,
            12..14 => self.move_tag(client).await,
            14..16 => self.push_index_or_artifact(client).await,
            16 => self.delete_tag(client).await,
            17 => self.delete_manifest(client).await,
            18 => self.delete_blob(client).await,
            _ => self.mount(client).await,
        }
    }

    fn repository(&mut self) -> String {
        (*self.random.pick(&REPOSITORIES).expect("there are some")).to_owned()
    }

    fn tag(&mut self) -> String {
        format!("w{}-{}", self.number, self.random.within(0..TAGS))
    }

    async fn push_image(&mut self, client: &Client) -> Result<(), Stopped> {
        let repository = self.repository();
        let mut image = content::image(&mut self.random);
        if self.random.once_in(8) {
            image = content::padded(&image, &mut self.random);
        }
        for blob in image.blobs() {
            self.push_blob(client, &repository, blob).await?;
        }
        self.push_manifest(client, &repository, image.manifest).await
    }

    /// Pushes a blob in one of the ways that clients have, unless the registry says that it is there.
    async fn push_blob(&mut self, client: &Client, repository: &str, bytes: &[u8]) -> Result<(), Stopped> {
        let digest = digest_of(bytes);
        let way = self.random.within(0..4);
        if way == 0 && attempt(client.head(&format!("/v2/{repository}/blobs/{digest}")), &[200, 404]).await?.status == 200 {
            return Ok(());
        }
        let pending = self.model.begin([(Fact::blob(repository, &digest), Some(digest.clone()))]);
        if way == 1 {
            let call = client.post(&format!("/v2/{repository}/blobs/uploads/?digest={digest}"));
            attempt(call.header("content-type", "application/octet-stream").body(bytes.to_vec()), &[201]).await?;
        } else {
            let upload = attempt(client.post(&format!("/v2/{repository}/blobs/uploads/")), &[202]).await?.location();
            let split = if way == 2 { self.random.within(0..bytes.len() as u64) as usize } else { 0 };
            if split > 0 {
                self.step_of_upload(client.append(&upload, 0, &bytes[..split]), 202).await?;
            }
            self.step_of_upload(client.finish_upload(&upload, &digest, &bytes[split..]), 201).await?;
        }
        pending.acknowledged();
        Ok(())
    }

    /// Goes on with an upload, which may be gone where uploads may be lost.
    async fn step_of_upload(&self, call: Call<'_>, expected: u16) -> Result<(), Stopped> {
        let may_be_lost = self.when_gone == WhenGone::GoOn(AfterFailure::MayBeLost);
        let reply = attempt(call, if may_be_lost { &[201, 202, 404] } else { &[201, 202] }).await?;
        if reply.status == expected { Ok(()) } else { Err(Stopped::Gone) }
    }

    /// Pushes a manifest under a private tag, under `latest`, or by its digest alone.
    async fn push_manifest(&mut self, client: &Client, repository: &str, manifest: Manifest) -> Result<(), Stopped> {
        let (digest, contested) = (manifest.digest(), self.random.once_in(4));
        let tag = match contested {
            true => Some("latest".to_owned()),
            false if self.random.once_in(6) => None,
            false => Some(self.tag()),
        };
        self.pushed.push(Pushed { repository: repository.to_owned(), manifest: manifest.clone(), contested, needed: false });
        self.put(client, repository, &manifest, tag.as_deref(), &digest).await
    }

    async fn put(&self, client: &Client, repository: &str, manifest: &Manifest, tag: Option<&str>, digest: &str) -> Result<(), Stopped> {
        let facts = std::iter::once(Fact::manifest(repository, digest)).chain(tag.map(|tag| Fact::tag(repository, tag)));
        let pending = self.model.begin(facts.map(|fact| (fact, Some(digest.to_owned()))));
        attempt(client.put_manifest(repository, tag.unwrap_or(digest), manifest), &[201]).await?;
        pending.acknowledged();
        Ok(())
    }

    /// One of the manifests that certainly are in the registry.
    fn pick(&mut self, fitting: impl Fn(&Pushed) -> bool) -> Option<usize> {
        let fits = |pushed: &Pushed| fitting(pushed) && self.model.has(&pushed.fact());
        let candidates: Vec<usize> = (0..self.pushed.len()).filter(|&at| fits(&self.pushed[at])).collect();
        self.random.pick(&candidates).copied()
    }

    async fn move_tag(&mut self, client: &Client) -> Result<(), Stopped> {
        let Some(at) = self.pick(|_| true) else { return Ok(()) };
        let contested = self.random.once_in(3);
        let tag = if contested { "latest".to_owned() } else { self.tag() };
        self.pushed[at].contested |= contested;
        let Pushed { repository, manifest, .. } = self.pushed[at].clone();
        self.put(client, &repository, &manifest, Some(&tag), &manifest.digest()).await
    }

    async fn push_index_or_artifact(&mut self, client: &Client) -> Result<(), Stopped> {
        let Some(at) = self.pick(|pushed| pushed.manifest.media_type == media_type::MANIFEST) else { return Ok(()) };
        self.pushed[at].needed = true;
        let Pushed { repository, manifest, .. } = self.pushed[at].clone();
        let target: Json = manifest.descriptor();
        if self.random.once_in(2) {
            let index = content::index(target, &mut self.random);
            return self.push_manifest(client, &repository, index).await;
        }
        let artifact = Image::artifact("application/vnd.example.note", self.random.next(), Some(&target));
        self.push_blob(client, &repository, &artifact.config).await?;
        self.push_manifest(client, &repository, artifact.manifest).await
    }

    async fn delete_tag(&mut self, client: &Client) -> Result<(), Stopped> {
        let (repository, tag) = (self.repository(), self.tag());
        let fact = Fact::tag(&repository, &tag);
        if !self.model.has(&fact) {
            return Ok(());
        }
        let pending = self.model.begin([(fact, None)]);
        self.delete(client.delete(&format!("/v2/{repository}/manifests/{tag}")), pending).await
    }

    /// Deletes a manifest by its digest, and with it every tag that shows it; only this writer can have set one.
    async fn delete_manifest(&mut self, client: &Client) -> Result<(), Stopped> {
        let Some(at) = self.pick(|pushed| !pushed.contested && !pushed.needed) else { return Ok(()) };
        let Pushed { repository, manifest, .. } = self.pushed.remove(at);
        let digest = manifest.digest();
        let mut gone = vec![Fact::manifest(&repository, &digest)];
        for number in 0..TAGS {
            let tag = Fact::tag(&repository, &format!("w{}-{number}", self.number));
            match self.model.certain(&tag) {
                Some(Some(shown)) if shown == digest => gone.push(tag),
                Some(_) => {}
                // What the tag shows is not known since a request got no answer: it may be this.
                None => return Ok(()),
            }
        }
        let pending = self.model.begin(gone.into_iter().map(|fact| (fact, None)));
        self.delete(client.delete(&format!("/v2/{repository}/manifests/{digest}")), pending).await
    }

    /// Deletes what is certainly there. A gateway whose first node falls silent asks another one, which may find it deleted already.
    async fn delete(&self, call: Call<'_>, pending: Pending) -> Result<(), Stopped> {
        let expected: &[u16] = if self.when_gone == WhenGone::Stop { &[202] } else { &[202, 404] };
        if attempt(call, expected).await?.status == 202 {
            pending.acknowledged();
        }
        Ok(())
    }

    async fn push_loose_blob(&mut self, client: &Client) -> Result<(), Stopped> {
        let (repository, blob) = (self.repository(), content::blob(&mut self.random));
        self.loose_blobs.push(Fact::blob(&repository, &digest_of(&blob)));
        self.push_blob(client, &repository, &blob).await
    }

    async fn delete_blob(&mut self, client: &Client) -> Result<(), Stopped> {
        let Some(Fact::Blob { repository, digest }) = self.loose_blobs.pop() else { return Ok(()) };
        let fact = Fact::blob(&repository, &digest);
        if !self.model.has(&fact) {
            return Ok(());
        }
        let pending = self.model.begin([(fact, None)]);
        self.delete(client.delete(&format!("/v2/{repository}/blobs/{digest}")), pending).await
    }

    /// Mounts a layer that another repository has.
    async fn mount(&mut self, client: &Client) -> Result<(), Stopped> {
        let (from, to) = (self.repository(), self.repository());
        let Some(Fact::Blob { digest, .. }) = self.loose_blobs.iter().find(|blob| blob.repository() == from && self.model.has(blob)) else {
            return Ok(());
        };
        let digest = digest.clone();
        let pending = self.model.begin([(Fact::blob(&to, &digest), Some(digest.clone()))]);
        attempt(client.post(&format!("/v2/{to}/blobs/uploads/?mount={digest}&from={from}")), &[201]).await?;
        pending.acknowledged();
        Ok(())
    }

    async fn go_on_with_upload(&mut self, client: &Client) -> Result<(), Stopped> {
        let mut upload = match self.upload.take() {
            Some(upload) => upload,
            None => {
                let (repository, content) = (self.repository(), content::blob(&mut self.random));
                Upload::start(client, &repository, content).await?
            }
        };
        let after = if let WhenGone::GoOn(after) = self.when_gone { after } else { AfterFailure::Kept };
        let stepped = upload.step(client, &self.model, &mut self.random, after).await;
        let over = match stepped {
            Ok(finished) => finished,
            Err(_) if self.when_gone != WhenGone::Stop => {
                upload.doubt();
                false
            }
            Err(Stopped::Unavailable) => !upload.must_go_on(),
            Err(Stopped::Gone) => false,
        };
        self.upload = (!over).then_some(upload);
        stepped.map(drop)
    }

    pub(super) async fn resume_upload(&mut self, client: &Client, after: AfterFailure) -> bool {
        match self.upload.take() {
            Some(upload) => upload.resume(client, &self.model, after).await,
            None => false,
        }
    }

    pub(super) fn abandon_upload(&mut self) {
        self.upload = None;
    }
}
