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
use zot_storage::{BlobAddress, Engine, blobs::BlobStore, metadata::MemoryMetadata, sessions::MemorySessions};

use crate::server::{config, content, key, needs_server, open, read, shared};

#[tokio::test(flavor = "multi_thread")]
async fn a_small_layer_takes_one_call_or_two() {
    needs_server!("calls::a_small_layer_takes_one_call_or_two");
    let server = shared().await;
    let store = open(&config(&server.endpoint())).await;
    let bytes = content(5 << 20);
    for (flush, puts) in [(false, 1), (true, 2)] {
        let before = store.calls();
        let mut staged = store.stage(UploadId::random()).await.unwrap();
        staged.write(vec![bytes.clone()]).await.unwrap();
        if flush {
            staged.flush().await.unwrap();
        }
        assert_eq!(staged.commit(&key(&bytes)).await.unwrap(), "");
        // What is removed afterwards keeps nobody waiting.
        let made = Calls { delete: 0, ..store.calls().since(&before) };
        assert_eq!(made, Calls { put: puts, ..Calls::default() });
        store.swept().await;
        assert_eq!(store.calls().since(&before).delete, u64::from(flush));
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

/// As docker does: the content in one chunk, then the end.
async fn push_layer(client: &Client, layer: &Bytes) {
    let upload = client.open().await;
    client.append(upload, Chunk::of(layer.clone())).await.unwrap();
    client.finish(upload, Chunk::empty(), &Digest::sha256(layer)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_ten_layers_takes_two_calls_a_layer_and_one_to_pull() {
    needs_server!("calls::an_image_of_ten_layers_takes_two_calls_a_layer_and_one_to_pull");
    let server = shared().await;
    let store = open(&config(&server.endpoint())).await;
    let (metadata, sessions) = (Arc::<MemoryMetadata>::default(), Arc::<MemorySessions>::default());
    let registry: Arc<dyn Registry> = Arc::new(Engine::new(metadata, Arc::new(store.clone()), sessions, true));
    let client = Client::new(&registry, "app");
    let (config, layers): (Bytes, Vec<Bytes>) = (content(500), (0..10).map(|index| content(100_000 + index)).collect());
    let descriptors: Vec<_> = layers.iter().map(|layer| describe(LAYER, layer)).collect();
    let push = Document::image(&describe(CONFIG, &config), &descriptors).push(&["v1"]);

    let before = store.calls();
    push_layer(&client, &config).await;
    for layer in &layers {
        push_layer(&client, layer).await;
    }
    client.put(push.clone()).await.unwrap();
    let made = Calls { delete: 0, ..store.calls().since(&before) };
    assert_eq!(made, Calls { put: 20, ..Calls::default() });

    let before = store.calls();
    client.get("v1").await.unwrap();
    for layer in &layers {
        assert_eq!(client.read(&Digest::sha256(layer)).await.unwrap(), layer);
    }
    store.swept().await;
    let made = Calls { delete: 0, ..store.calls().since(&before) };
    assert_eq!(made, Calls { get: 10, ..Calls::default() });

    // What is there already is looked at, and what was sent of it is dropped.
    let before = store.calls();
    push_layer(&client, &layers[0]).await;
    store.swept().await;
    assert_eq!(store.calls().since(&before), Calls { put: 1, head: 1, delete: 1, ..Calls::default() });
}
