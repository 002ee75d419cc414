//! Image layouts that several processes keep, and what is made from them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use zot_contract::{
    Registry,
    suite::{Client, content::blob_of},
};
use zot_oci::{Digest, RepositoryName};
use zot_storage::{
    BlobKey, Engine, Error, Mine, Rebuilt, Result, Shared,
    layouts::{Change, Found, Layouts, MemoryLayouts},
    metadata::{MemoryMetadata, Metadata},
    show_all,
};

use crate::Stores;

fn shared(stores: &Stores, layouts: Arc<dyn Layouts>, mine: Mine) -> Shared {
    let Stores { metadata, blobs, sessions, .. } = stores.clone();
    Shared { metadata, blobs, sessions, layouts, dedupe: true, mine }
}

async fn open(stores: &Stores, layouts: Arc<dyn Layouts>) -> (Engine, Option<Rebuilt>) {
    shared(stores, layouts, Arc::new(|_| true)).open(&|_, _| {}).await.unwrap()
}

fn client(engine: &Engine, repository: &str) -> Client {
    let registry: Arc<dyn Registry> = Arc::new(engine.clone());
    Client::new(&registry, repository)
}

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

async fn shown(layouts: &dyn Layouts, repository: &str) -> String {
    String::from_utf8(layouts.index(&name(repository)).await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn lost_rows_come_back_from_the_layouts_to_one_of_those_who_open() {
    let stores = Stores::limited(100);
    let layouts = Arc::<MemoryLayouts>::default();
    let (engine, _) = open(&stores, layouts.clone()).await;
    let large = blob_of(1, 300_000);
    client(&engine, "a").push_blob(large.clone()).await;
    let pushed = client(&engine, "a").push_image(1, &["v1", "latest"]).await;
    let (image, blobs) = crate::manifests::image(&client(&engine, "a/b"), 120, &["big"]).await;
    client(&engine, "a/b").put(image.clone()).await.unwrap();
    engine.project().await.unwrap();

    let stores = Stores { metadata: Arc::new(MemoryMetadata::limited(100)), ..stores };
    let mut opening = JoinSet::new();
    for _ in 0..4 {
        let (stores, layouts) = (stores.clone(), layouts.clone());
        opening.spawn(async move { open(&stores, layouts).await });
    }
    let opened = opening.join_all().await;
    let rebuilt: Vec<Rebuilt> = opened.iter().filter_map(|(_, rebuilt)| *rebuilt).collect();
    assert_eq!(rebuilt.len(), 1);
    assert_eq!((rebuilt[0].repositories, rebuilt[0].manifests, rebuilt[0].tags, rebuilt[0].damaged), (2, 2, 3, 0));
    let (engine, _) = &opened[0];
    assert_eq!(client(engine, "a").get("latest").await.unwrap().bytes, pushed.bytes);
    assert_eq!(client(engine, "a/b").get("big").await.unwrap().bytes, image.bytes);
    for blob in blobs {
        client(engine, "a/b").read(&blob).await.unwrap();
    }
}

#[tokio::test]
async fn large_blobs_stay_where_they_are_when_rows_are_rebuilt() {
    let stores = Stores::new();
    let layouts = Arc::<MemoryLayouts>::default();
    let (engine, _) = open(&stores, layouts.clone()).await;
    let client_of = |engine: &Engine| client(engine, "a");
    let large = blob_of(1, 300_000);
    let layer = zot_contract::suite::content::describe(zot_contract::suite::content::LAYER, &large);
    client_of(&engine).push_blob(large.clone()).await;
    client_of(&engine).put(zot_contract::suite::content::Document::image(&layer, &[]).push(&["v1"])).await.unwrap();
    engine.project().await.unwrap();

    let stores = Stores { metadata: Arc::<MemoryMetadata>::default(), ..stores };
    let (engine, _) = open(&stores, layouts).await;
    assert_eq!(client_of(&engine).read(&layer.digest).await.unwrap(), large);
}

#[tokio::test]
async fn a_process_projects_what_is_its_own() {
    let stores = Stores::new();
    let layouts = Arc::<MemoryLayouts>::default();
    let owner = Arc::new(AtomicBool::new(false));
    let mine: Mine = {
        let owner = owner.clone();
        Arc::new(move |repository| repository.as_str() == "mine" || owner.load(Ordering::Acquire))
    };
    let (engine, _) = shared(&stores, layouts.clone(), mine).open(&|_, _| {}).await.unwrap();
    for repository in ["mine", "yours"] {
        client(&engine, repository).push_image(1, &["v1"]).await;
    }
    engine.project().await.unwrap();
    assert_eq!(layouts.repositories().await.unwrap(), [name("mine")]);
    owner.store(true, Ordering::Release);
    engine.project().await.unwrap();
    assert_eq!(layouts.repositories().await.unwrap(), [name("mine"), name("yours")]);
}

#[tokio::test]
async fn what_rows_hold_is_shown_before_they_go() {
    let stores = Stores::new();
    let layouts = Arc::<MemoryLayouts>::default();
    let (engine, _) = shared(&stores, layouts.clone(), Arc::new(|_| false)).open(&|_, _| {}).await.unwrap();
    client(&engine, "a").push_image(1, &["v1"]).await;
    engine.project().await.unwrap();
    assert_eq!(layouts.repositories().await.unwrap(), []);
    let show = |metadata: Result<Arc<dyn Metadata>>| show_all(async { metadata }, stores.blobs.clone(), layouts.clone());
    show(Ok(stores.metadata.clone())).await.unwrap();
    assert!(shown(layouts.as_ref(), "a").await.contains("\"v1\""));
    // Only rows that cannot be read may go without having been.
    show(Err(Error::damaged("metadata", "a test"))).await.unwrap();
    assert!(show(Err(Error::remote("read rows", "nobody answers"))).await.is_err());
}

/// A call to layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Show,
    WriteIndex,
    Hide,
}

/// What happens just before the first call.
#[derive(Debug)]
enum Event {
    /// Somebody pushes an image.
    Push(Engine),
    /// Another process pushes an image, and projects it.
    PushAndProject(Engine),
    /// The call finds no space.
    Fail,
}

/// Layouts where something happens just before the first of some calls.
#[derive(Debug)]
struct EventfulLayouts {
    layouts: Arc<MemoryLayouts>,
    event: Mutex<Option<(Call, Event)>>,
}

impl EventfulLayouts {
    fn new(layouts: &Arc<MemoryLayouts>, call: Call, event: Event) -> Arc<Self> {
        Arc::new(Self { layouts: layouts.clone(), event: Mutex::new(Some((call, event))) })
    }

    async fn before(&self, call: Call) -> Result<()> {
        let event = self.event.lock().take_if(|(at, _)| *at == call);
        let (engine, project) = match event {
            None => return Ok(()),
            Some((_, Event::Fail)) => return Err(Error::damaged("a layout", "a test")),
            Some((_, Event::Push(engine))) => (engine, false),
            Some((_, Event::PushAndProject(engine))) => (engine, true),
        };
        client(&engine, "a").push_image(2, &["v2"]).await;
        if project { engine.project().await } else { Ok(()) }
    }
}

#[async_trait::async_trait]
impl Layouts for EventfulLayouts {
    async fn apply(&self, repository: &RepositoryName, changes: Vec<Change>) -> Result<()> {
        let hides = changes.iter().any(|change| matches!(change, Change::Remove(_)));
        self.before(if hides { Call::Hide } else { Call::Show }).await?;
        self.layouts.apply(repository, changes).await
    }

    async fn write_index(&self, repository: &RepositoryName, index: Bytes) -> Result<()> {
        self.before(Call::WriteIndex).await?;
        self.layouts.write_index(repository, index).await
    }

    async fn sync(&self) -> Result<()> {
        self.layouts.sync().await
    }

    async fn repositories(&self) -> Result<Vec<RepositoryName>> {
        self.layouts.repositories().await
    }

    async fn index(&self, repository: &RepositoryName) -> Result<Bytes> {
        self.layouts.index(repository).await
    }

    async fn keep_index(&self, repository: &RepositoryName) -> Result<String> {
        self.layouts.keep_index(repository).await
    }

    async fn contents(&self, repository: &RepositoryName) -> Result<Vec<Found>> {
        self.layouts.contents(repository).await
    }

    async fn is_intact(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool> {
        self.layouts.is_intact(repository, digest).await
    }

    async fn read(&self, repository: &RepositoryName, digest: &Digest) -> Result<Option<Bytes>> {
        self.layouts.read(repository, digest).await
    }

    async fn keep(&self, repository: &RepositoryName, digest: &Digest, key: &BlobKey) -> Result<String> {
        self.layouts.keep(repository, digest, key).await
    }
}

#[tokio::test]
async fn a_slow_projector_does_not_have_the_last_word() {
    for call in [Call::WriteIndex, Call::Show, Call::Hide] {
        let stores = Stores::new();
        let layouts = Arc::<MemoryLayouts>::default();
        let (fast, _) = open(&stores, layouts.clone()).await;
        // What the slow one removes is what the fast one shows again.
        let deleted = client(&fast, "a").push_image(2, &["v2"]).await;
        client(&fast, "a").push_image(1, &["v1"]).await;
        fast.project().await.unwrap();
        client(&fast, "a").delete(deleted.digest).await.unwrap();
        let (slow, _) = open(&stores, EventfulLayouts::new(&layouts, call, Event::PushAndProject(fast.clone()))).await;
        slow.project().await.unwrap();
        slow.project().await.unwrap();
        let index = shown(layouts.as_ref(), "a").await;
        assert!(index.contains("\"v1\"") && index.contains("\"v2\""), "{index}");
        assert!(layouts.read(&name("a"), &deleted.digest).await.unwrap().is_some());
    }
}

/// Fails the test unless everything that the index of `a` lists is there.
async fn check_listed(layouts: &dyn Layouts) {
    let index: serde_json::Value = serde_json::from_str(&shown(layouts, "a").await).unwrap();
    for manifest in index["manifests"].as_array().unwrap() {
        let digest: Digest = manifest["digest"].as_str().unwrap().parse().unwrap();
        assert!(layouts.read(&name("a"), &digest).await.unwrap().is_some(), "{digest} is listed and not there");
    }
}

#[tokio::test]
async fn an_index_lists_nothing_that_is_not_there_yet() {
    for call in [Call::WriteIndex, Call::Show] {
        let stores = Stores::new();
        let layouts = Arc::<MemoryLayouts>::default();
        let (other, _) = open(&stores, layouts.clone()).await;
        let (engine, _) = open(&stores, EventfulLayouts::new(&layouts, call, Event::Push(other.clone()))).await;
        client(&engine, "a").push_image(1, &["v1"]).await;
        engine.project().await.unwrap();
        check_listed(layouts.as_ref()).await;
        engine.project().await.unwrap();
        assert!(shown(layouts.as_ref(), "a").await.contains("\"v2\""));
    }
}

#[tokio::test]
async fn what_was_deleted_goes_after_the_index_that_lists_it() {
    let stores = Stores::new();
    let layouts = Arc::<MemoryLayouts>::default();
    let (engine, _) = open(&stores, layouts.clone()).await;
    let deleted = client(&engine, "a").push_image(1, &["v1"]).await;
    engine.project().await.unwrap();
    client(&engine, "a").delete(deleted.digest).await.unwrap();
    let (full, _) = open(&stores, EventfulLayouts::new(&layouts, Call::WriteIndex, Event::Fail)).await;
    assert!(full.project().await.is_err());
    check_listed(layouts.as_ref()).await;
    full.project().await.unwrap();
    assert!(layouts.read(&name("a"), &deleted.digest).await.unwrap().is_none());
}
