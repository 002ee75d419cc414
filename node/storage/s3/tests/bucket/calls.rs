//! How often S3 is asked: what users pay for, and wait for.

use std::sync::Arc;

use bytes::Bytes;
use zot_contract::{
    Chunk, Registry, UploadId,
    suite::{
        Client,
        content::{CONFIG, Document, LAYER, describe},
    },
};
use zot_oci::Digest;
use zot_s3::Calls;
use zot_storage::{BlobAddress, Shared, blobs::BlobStore, metadata::MemoryMetadata, sessions::MemorySessions};

use crate::server::{config, content, key, needs_server, open, read, shared};

#[tokio::test(flavor = "multi_thread")]
async fn a_small_layer_takes_one_call_and_more_if_it_comes_in_chunks() {
    needs_server!("calls::a_small_layer_takes_one_call_and_more_if_it_comes_in_chunks");
    let server = shared().await;
    let store = open(&config(&server.endpoint())).await;
    let bytes = content(5 << 20);
    // How often it is flushed, and what that costs. What is removed keeps nobody waiting.
    for (flushes, put, delete) in [(0, 1, 0), (1, 1, 0), (2, 3, 2)] {
        let before = store.calls();
        let mut staged = store.stage(UploadId::random()).await.unwrap();
        let chunk_bytes = bytes.len().div_ceil(flushes.max(1));
        for at in (0..bytes.len()).step_by(chunk_bytes) {
            staged.write(vec![bytes.slice(at..bytes.len().min(at + chunk_bytes))]).await.unwrap();
            if flushes > 0 {
                staged.flush().await.unwrap();
            }
        }
        let at = BlobAddress { key: key(&bytes), place: staged.commit(&key(&bytes)).await.unwrap() };
        staged.finish();
        store.swept().await;
        assert_eq!(store.calls().since(&before), Calls { put, delete, ..Calls::default() }, "{flushes} flushes");
        assert!(read(&store, &at, bytes.len()).await == bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_layer_takes_a_call_for_each_part_and_two() {
    needs_server!("calls::a_large_layer_takes_a_call_for_each_part_and_two");
    let server = shared().await;
    let store = open(&config(&server.endpoint())).await;
    let bytes = content(18 << 20);
    let before = store.calls();
    let mut staged = store.stage(UploadId::random()).await.unwrap();
    staged.write(vec![bytes.clone()]).await.unwrap();
    let place = staged.commit(&key(&bytes)).await.unwrap();
    let made = store.calls().since(&before);
    assert_eq!(made, Calls { create_multipart: 1, upload_part: 4, complete_multipart: 1, ..Calls::default() });

    let (at, before) = (BlobAddress { key: key(&bytes), place }, store.calls());
    assert!(read(&store, &at, bytes.len()).await == bytes);
    assert_eq!(store.calls().since(&before), Calls { get: 1, ..Calls::default() });
    store.size(&at).await.unwrap();
    store.delete(&at).await.unwrap();
    assert_eq!(store.calls().since(&before), Calls { get: 1, head: 1, delete: 1, ..Calls::default() });
}

#[tokio::test(flavor = "multi_thread")]
async fn taking_up_and_dropping_uploads_lists_and_copies_nothing() {
    needs_server!("calls::taking_up_and_dropping_uploads_lists_and_copies_nothing");
    let server = shared().await;
    let config = config(&server.endpoint());
    let (store, other, upload) = (open(&config).await, open(&config).await, UploadId::random());
    let mut staged = store.stage(upload).await.unwrap();
    staged.write(vec![content(7 << 20)]).await.unwrap();
    staged.flush().await.unwrap();
    let before = other.calls();
    let mut resumed = other.resume(upload, 7 << 20, &staged.state()).await.unwrap().unwrap();
    assert_eq!(other.calls(), before);
    resumed.write(vec![content(1 << 20)]).await.unwrap();
    resumed.flush().await.unwrap();
    other.discard(upload, &resumed.state()).await.unwrap();
    let made = other.calls().since(&before);
    // Two tails: the second process saved only what was new.
    assert_eq!(made, Calls { put: 1, abort_multipart: 1, delete: 2, ..Calls::default() });
}

/// The content in one chunk, as docker does, or with the end, as containerd does.
async fn push_layer(client: &Client, layer: &Bytes, with_end: bool) {
    let upload = client.open().await;
    let mut last = Chunk::of(layer.clone());
    if !with_end {
        client.append(upload, std::mem::replace(&mut last, Chunk::empty())).await.unwrap();
    }
    client.finish(upload, last, &Digest::sha256(layer)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_ten_layers_takes_one_call_a_layer_and_one_to_pull() {
    needs_server!("calls::an_image_of_ten_layers_takes_one_call_a_layer_and_one_to_pull");
    let server = shared().await;
    for with_end in [false, true] {
        let store = open(&config(&server.endpoint())).await;
        let stores = Shared {
            metadata: Arc::<MemoryMetadata>::default(),
            blobs: Arc::new(store.clone()),
            sessions: Arc::new(MemorySessions::shared()),
            layouts: Arc::new(store.layouts()),
            dedupe: true,
            mine: Arc::new(|_| true),
        };
        let (engine, _) = stores.open(&|_, _| {}).await.unwrap();
        let registry: Arc<dyn Registry> = Arc::new(engine.clone());
        let client = Client::new(&registry, "app");
        let (config, layers): (Bytes, Vec<Bytes>) = (content(500), (0..10).map(|index| content(100_000 + index)).collect());
        let descriptors: Vec<_> = layers.iter().map(|layer| describe(LAYER, layer)).collect();
        let push = Document::image(&describe(CONFIG, &config), &descriptors).push(&["v1"]);

        let before = store.calls();
        push_layer(&client, &config, with_end).await;
        for layer in &layers {
            push_layer(&client, layer, with_end).await;
        }
        client.put(push.clone()).await.unwrap();
        store.swept().await;
        assert_eq!(store.calls().since(&before), Calls { put: 10, ..Calls::default() });

        // For the image's layout, a pointer to each layer; and config, manifest, index and marker.
        engine.project().await.unwrap();
        assert_eq!(store.calls().since(&before), Calls { put: 10 + 10 + 4, ..Calls::default() });

        let before = store.calls();
        client.get("v1").await.unwrap();
        for layer in &layers {
            assert_eq!(client.read(&Digest::sha256(layer)).await.unwrap(), layer);
        }
        assert_eq!(store.calls().since(&before), Calls { get: 10, ..Calls::default() });

        // What is there already is looked at, and what was sent of it is dropped.
        let before = store.calls();
        push_layer(&client, &layers[0], with_end).await;
        store.swept().await;
        let sent = u64::from(!with_end);
        assert_eq!(store.calls().since(&before), Calls { put: sent, head: 1, delete: sent, ..Calls::default() });
    }
}
