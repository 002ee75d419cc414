//! Whole blobs that whoever wants them is sent to the blob store for.

use std::{sync::Arc, time::Duration};

use zot_contract::{
    Error, Fetched, Registry,
    suite::{Client, content::blob_of},
};
use zot_storage::{
    BlobAddress, BlobKey, Engine,
    blobs::{BlobCache, BlobStore, CachedBlobs},
};

use crate::Stores;

const LARGE: usize = 700_000;

fn linking(engine: Engine) -> Client {
    let registry: Arc<dyn Registry> = Arc::new(engine.with_links(Some(Duration::from_secs(60))));
    Client::new(&registry, "a")
}

/// The URL that whoever wants the blob is given, if any.
async fn url(client: &Client, digest: &zot_oci::Digest) -> zot_contract::Result<Option<String>> {
    Ok(match client.registry.fetch_blob(&client.cx, &client.repository, digest).await? {
        Fetched::Elsewhere(url) => Some(url.as_str().to_owned()),
        Fetched::Here(_) => None,
    })
}

#[tokio::test]
async fn what_the_store_has_is_linked_to_and_what_is_in_rows_is_not() {
    let stores = Stores::new();
    let client = linking(stores.engine());
    let large = client.push_blob(blob_of(1, LARGE)).await;
    assert_eq!(url(&client, &large).await.unwrap(), Some(format!("http://memory/{}", stores.places()[0])));
    let small = client.push_blob("small").await;
    let empty = client.push_blob("").await;
    let manifest = client.push_image(1, &[]).await.digest;
    for digest in [small, empty, manifest] {
        assert_eq!(url(&client, &digest).await.unwrap(), None);
    }
    // Who does not ask for links gets none.
    assert_eq!(stores.client("a").fetch(&large).await.unwrap(), Some(blob_of(1, LARGE)));
}

#[tokio::test]
async fn nobody_is_sent_where_nothing_is() {
    let stores = Stores::new();
    let client = linking(stores.engine());
    let digest = client.push_blob(blob_of(2, LARGE)).await;
    client.repository("b").push_blob(blob_of(2, LARGE)).await;
    let at = BlobAddress { key: BlobKey::shared(&digest), place: stores.places()[0].clone() };
    stores.blobs.delete(&at).await.unwrap();
    assert!(matches!(url(&client, &digest).await, Err(Error::Internal(_))));
    // Somebody pushes it again, to another place: whoever is linked to the first one is served from there.
    client.repository("c").push_blob(blob_of(2, LARGE)).await;
    assert_eq!(client.fetch(&digest).await.unwrap(), Some(blob_of(2, LARGE)));
    assert!(url(&client.repository("c"), &digest).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cached_is_served() {
    let (stores, directory) = (Stores::new(), tempfile::tempdir().unwrap());
    let cache = BlobCache::open(directory.path().join("cache"), 100 << 20).unwrap();
    let blobs: Arc<dyn BlobStore> = Arc::new(CachedBlobs::new(stores.blobs.clone(), cache, "store"));
    let engine = Stores { blobs, ..stores.clone() }.engine();
    let client = linking(engine);
    let digest = client.push_blob(blob_of(3, LARGE)).await;
    assert!(url(&client, &digest).await.unwrap().is_some());
    // Until the cache knows what it has, it takes nothing in.
    while url(&client, &digest).await.unwrap().is_some() {
        assert_eq!(client.read(&digest).await.unwrap(), blob_of(3, LARGE));
    }
    assert_eq!(client.fetch(&digest).await.unwrap(), Some(blob_of(3, LARGE)));
}
