//! Image layouts: what a rebuild needs, from this registry's bucket and from zot's.

use std::sync::Arc;

use bytes::Bytes;
use zot_contract::{
    Registry,
    suite::{
        Client,
        content::{CONFIG, Document, LAYER, describe},
    },
};
use zot_oci::Digest;
use zot_s3::S3Blobs;
use zot_storage::{
    Engine, Rebuilt, Shared,
    layouts::{Change, Content, Layouts},
    metadata::MemoryMetadata,
    sessions::MemorySessions,
    testing::layouts_suite,
};

use crate::server::{config, content, needs_server, open, shared};

/// A registry over the bucket that has lost all its rows.
async fn without_rows(store: &S3Blobs) -> (Engine, Option<Rebuilt>) {
    let shared = Shared {
        metadata: Arc::<MemoryMetadata>::default(),
        blobs: Arc::new(store.clone()),
        sessions: Arc::<MemorySessions>::default(),
        layouts: Arc::new(store.layouts()),
        dedupe: true,
        mine: Arc::new(|_| true),
    };
    shared.open(&|_, _| {}).await.unwrap()
}

fn client(engine: &Engine, repository: &str) -> Client {
    let registry: Arc<dyn Registry> = Arc::new(engine.clone());
    Client::new(&registry, repository)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_keeps_the_contract_of_layouts() {
    needs_server!("layouts::a_bucket_keeps_the_contract_of_layouts");
    let server = shared().await;
    let store = open(&config(&server.endpoint())).await;
    layouts_suite(&store.layouts(), &store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_rows_are_made_again_from_the_bucket_alone() {
    needs_server!("layouts::all_rows_are_made_again_from_the_bucket_alone");
    let server = shared().await;
    let store = open(&config(&server.endpoint())).await;
    // In a row, under its key, at a place of its own.
    let blobs = [content(100), content(100_000), content(11 << 20)];
    let push = Document::image(&describe(CONFIG, &blobs[0]), &[describe(LAYER, &blobs[1]), describe(LAYER, &blobs[2])]).push(&["v1", "v2"]);
    let (engine, rebuilt) = without_rows(&store).await;
    assert_eq!(rebuilt, Some(Rebuilt::default()));
    for name in ["app", "app/nested"] {
        let client = client(&engine, name);
        for blob in &blobs {
            client.push_blob(blob.clone()).await;
        }
        client.put(push.clone()).await.unwrap();
    }
    client(&engine, "app/nested").delete("v2").await.unwrap();
    let before = store.calls();
    engine.project().await.unwrap();
    assert_eq!((store.calls().since(&before).list, store.calls().copy), (0, 0), "projecting lists and copies nothing");
    drop(engine);

    let (engine, rebuilt) = without_rows(&store).await;
    assert_eq!(rebuilt, Some(Rebuilt { repositories: 2, manifests: 2, tags: 3, blobs: 6, damaged: 0 }));
    for (name, tags) in [("app", vec!["v1", "v2"]), ("app/nested", vec!["v1"])] {
        let client = client(&engine, name);
        assert_eq!(client.tags().await, tags);
        assert_eq!(client.get("v1").await.unwrap().bytes, push.bytes);
        for blob in &blobs {
            assert!(client.read(&Digest::sha256(blob)).await.unwrap() == *blob);
        }
    }

    // What is deleted does not come back.
    let app = client(&engine, "app");
    app.delete(push.digest).await.unwrap();
    app.delete_blob(&Digest::sha256(&blobs[2])).await.unwrap();
    engine.project().await.unwrap();
    drop((app, engine));
    let (engine, rebuilt) = without_rows(&store).await;
    assert_eq!(rebuilt, Some(Rebuilt { repositories: 2, manifests: 1, tags: 1, blobs: 5, damaged: 0 }));
    assert!(!client(&engine, "app").has_blob(&Digest::sha256(&blobs[2])).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_zot_is_adopted_where_it_stands() {
    needs_server!("layouts::a_bucket_of_zot_is_adopted_where_it_stands");
    let server = shared().await;
    let store = open(&config(&server.endpoint())).await;
    let blobs = [content(300), content(200_000)];
    let push = Document::image(&describe(CONFIG, &blobs[0]), &[describe(LAYER, &blobs[1])]).push(&["v1"]);
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{}","digest":"{}","size":{},"annotations":{{"org.opencontainers.image.ref.name":"v1"}}}}]}}"#,
        push.media_type,
        push.digest,
        push.bytes.len(),
    );
    let layouts = store.layouts();
    for (name, shares) in [("original", false), ("shares", true)] {
        let name = name.parse().unwrap();
        // zot keeps content once, and leaves an empty object wherever else it belongs.
        let blob =
            |bytes: &Bytes| Content::Inline { digest: Digest::sha256(bytes), bytes: if shares { Bytes::new() } else { bytes.clone() } };
        let manifest = Content::Inline { digest: push.digest, bytes: push.bytes.clone() };
        layouts.apply(&name, blobs.iter().map(blob).chain([manifest]).map(Change::Add).collect()).await.unwrap();
        layouts.write_index(&name, Bytes::from(index.clone())).await.unwrap();
    }

    let before = store.calls();
    let (engine, rebuilt) = without_rows(&store).await;
    assert_eq!(rebuilt, Some(Rebuilt { repositories: 2, manifests: 2, tags: 2, blobs: 4, damaged: 0 }));
    let made = store.calls().since(&before);
    assert_eq!((made.put, made.copy), (2, 0), "nothing is moved, the large blob is marked for each repository");
    for name in ["original", "shares"] {
        let client = client(&engine, name);
        assert_eq!(client.get("v1").await.unwrap().bytes, push.bytes);
        for blob in &blobs {
            assert!(client.read(&Digest::sha256(blob)).await.unwrap() == *blob);
        }
    }

    // What one repository deletes, the others keep, whoever has the bytes.
    let original = client(&engine, "original");
    original.delete(push.digest).await.unwrap();
    for blob in &blobs {
        original.delete_blob(&Digest::sha256(blob)).await.unwrap();
    }
    engine.project().await.unwrap();
    for blob in &blobs {
        assert!(client(&engine, "shares").read(&Digest::sha256(blob)).await.unwrap() == *blob);
    }
}
