//! Many uploads at a time in little memory.

use std::time::Duration;

use futures::future::join_all;
use zot_contract::UploadId;
use zot_s3::{Limits, S3Blobs};
use zot_storage::{BlobAddress, blobs::BlobStore};

use crate::server::{config, content, key, needs_server, read, shared};

const MIB: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn uploads_share_little_memory_and_all_end() {
    needs_server!("limits::uploads_share_little_memory_and_all_end");
    let server = shared().await;
    let limits = Limits { upload_bytes_max: 8 << 20, kept_bytes_max: 1 << 20, ..Limits::default() };
    let store = S3Blobs::open(&config(&server.endpoint()), limits).await.unwrap();
    let upload = async |size: usize| {
        let bytes = content(size);
        let mut staged = store.stage(UploadId::random()).await.unwrap();
        for start in (0..size).step_by(MIB) {
            staged.write(vec![bytes.slice(start..size.min(start + MIB))]).await.unwrap();
            // Its client is as fast as all the others.
            tokio::task::yield_now().await;
        }
        staged.flush().await.unwrap();
        let key = key(&bytes);
        let place = staged.commit(&key).await.unwrap();
        assert!(read(&store, &BlobAddress { key, place }, size).await == bytes);
    };
    join_all((0..10).map(|index| upload(7 * MIB + index))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_upload_makes_room_for_others() {
    needs_server!("limits::a_slow_upload_makes_room_for_others");
    let server = shared().await;
    let limits = Limits { upload_bytes_max: 3 << 20, ..Limits::default() };
    let store = S3Blobs::open(&config(&server.endpoint()), limits).await.unwrap();
    let (slow, quick) = (content(4 * MIB), content(4 * MIB + 1));
    let mut held = store.stage(UploadId::random()).await.unwrap();
    held.write(vec![slow.slice(..3 * MIB)]).await.unwrap();
    let finish = async {
        let mut staged = store.stage(UploadId::random()).await.unwrap();
        staged.write(vec![quick.clone()]).await.unwrap();
        BlobAddress { key: key(&quick), place: staged.commit(&key(&quick)).await.unwrap() }
    };
    let trickle = async {
        let mut sent = 3 * MIB;
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            held.write(vec![slow.slice(sent..=sent)]).await.unwrap();
            sent += 1;
        }
    };
    let at = tokio::select! {
        at = finish => at,
        never = trickle => never,
    };
    assert!(read(&store, &at, quick.len()).await == quick);
}
