//! What may come between the steps of a push or a deletion: the end of the process, and what others do.

use std::sync::Arc;

use futures::FutureExt;
use zot_contract::{Error, ManifestPush, suite::Client};
use zot_oci::Digest;
use zot_storage::metadata::Metadata;

use crate::{
    Stores,
    faults::{Event, EventfulMetadata},
    manifests::image,
};

/// Blobs of the image: more than a transaction has room for.
const LAYERS: usize = 12;

/// A repository with an image in it, and the stores that it is in.
struct Scene {
    stores: Stores,
    client: Client,
    push: ManifestPush,
    blobs: Vec<Digest>,
}

impl Scene {
    async fn new(pushed: bool) -> Self {
        let stores = Stores::limited(8);
        let client = stores.client("a");
        let (push, blobs) = image(&client, LAYERS, &["v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7"]).await;
        if pushed {
            client.put(push.clone()).await.unwrap();
        }
        Self { stores, client, push, blobs }
    }

    /// A client of another process, with an event before its commit of that number.
    fn eventful(&self, number: usize, event: Event) -> (Client, Arc<EventfulMetadata>) {
        let metadata = Arc::new(EventfulMetadata::new(&self.stores.metadata, number, event));
        let stores = Stores { metadata: metadata.clone() as Arc<dyn Metadata>, ..self.stores.clone() };
        (stores.client("a"), metadata)
    }

    /// A manifest that is there has its blobs, and keeps them; no tag dangles; and everything can be pushed and deleted again.
    async fn is_sound(&self) {
        let there = self.client.get(self.push.digest).await.is_ok();
        for tag in self.client.tags().await {
            assert_eq!(self.client.get(tag).await.unwrap().info.digest, self.push.digest);
        }
        for blob in &self.blobs {
            assert!(!there || self.client.has_blob(blob).await, "{blob} is missing");
            let deleted = self.client.delete_blob(blob).await;
            match deleted {
                Err(Error::BlobReferenced { .. }) => assert!(there, "{blob} is kept for nobody"),
                Ok(()) | Err(Error::BlobUnknown { .. } | Error::NameUnknown { .. }) => assert!(!there, "{blob} is not kept"),
                Err(error) => panic!("{error:?}"),
            }
        }
        image(&self.client, LAYERS, &[]).await;
        self.client.put(self.push.clone()).await.unwrap();
        self.client.delete(self.push.digest).await.unwrap();
        for blob in &self.blobs {
            self.client.delete_blob(blob).await.unwrap();
        }
    }
}

fn failure() -> Event {
    Box::new(|| async { Err(zot_storage::Error::remote("commit", "the process is killed here")) }.boxed())
}

#[tokio::test]
async fn a_push_may_end_at_any_step() {
    for number in 0.. {
        let scene = Scene::new(false).await;
        let (client, metadata) = scene.eventful(number, failure());
        let pushed = client.put(scene.push.clone()).await;
        assert_eq!(pushed.is_err(), metadata.happened());
        scene.is_sound().await;
        if !metadata.happened() {
            assert!(number > 4, "it took {number} steps");
            break;
        }
    }
}

#[tokio::test]
async fn a_deletion_may_end_at_any_step() {
    for number in 0.. {
        let scene = Scene::new(true).await;
        let (client, metadata) = scene.eventful(number, failure());
        let deleted = client.delete(scene.push.digest).await;
        assert_eq!(deleted.is_err(), metadata.happened());
        scene.is_sound().await;
        if !metadata.happened() {
            assert!(number > 2, "it took {number} steps");
            break;
        }
    }
}

#[tokio::test]
async fn a_blob_may_be_deleted_at_any_step_of_a_push() {
    for blob in 0..LAYERS {
        for number in 0.. {
            let scene = Scene::new(false).await;
            let (other, digest) = (scene.client.clone(), scene.blobs[blob]);
            let event: Event = Box::new(move || {
                async move {
                    let deleted = other.delete_blob(&digest).await;
                    assert!(matches!(deleted, Ok(()) | Err(Error::BlobReferenced { .. })), "{deleted:?}");
                    Ok(())
                }
                .boxed()
            });
            let (client, metadata) = scene.eventful(number, event);
            match client.put(scene.push.clone()).await {
                Ok(_) => assert!(scene.client.has_blob(&scene.blobs[blob]).await),
                Err(Error::ManifestBlobUnknown { digest, .. }) => assert_eq!(digest, scene.blobs[blob]),
                Err(error) => panic!("{error:?}"),
            }
            scene.is_sound().await;
            if !metadata.happened() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_manifest_may_be_deleted_at_any_step_of_being_pushed_again() {
    for number in 0.. {
        let scene = Scene::new(true).await;
        let (other, digest) = (scene.client.clone(), scene.push.digest);
        let event: Event = Box::new(move || {
            async move {
                other.delete(digest).await.unwrap();
                Ok(())
            }
            .boxed()
        });
        let (client, metadata) = scene.eventful(number, event);
        client.put(scene.push.clone()).await.unwrap();
        scene.is_sound().await;
        if !metadata.happened() {
            break;
        }
    }
}

#[tokio::test]
async fn a_manifest_may_be_pushed_again_at_any_step_of_being_deleted() {
    for number in 0.. {
        let scene = Scene::new(true).await;
        let (other, push) = (scene.client.clone(), scene.push.clone());
        let event: Event = Box::new(move || {
            async move {
                other.put(push).await.unwrap();
                Ok(())
            }
            .boxed()
        });
        let (client, metadata) = scene.eventful(number, event);
        client.delete(scene.push.digest).await.unwrap();
        scene.is_sound().await;
        if !metadata.happened() {
            break;
        }
    }
}
