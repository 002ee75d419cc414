//! What survives the end of the process, asked for or not.

use serde_json::json;
use zot_tests::{Image, Sandbox, content, digest_of, wait};

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    for commit in [true, false] {
        let mut sandbox = Sandbox::builder().set("/storage/commit", commit).start().await;
        let image = Image::small(1);
        sandbox.client().push_image("a", "latest", &image).await;
        assert!(sandbox.terminate().await.success());
        sandbox.restart().await;
        let client = sandbox.client();
        assert!(client.get_manifest("a", "latest").await.expect(200).body == image.manifest.bytes);
        for blob in image.blobs() {
            assert!(client.get_blob("a", &digest_of(blob)).await.expect(200).body == blob);
        }
    }
}

#[tokio::test]
async fn an_upload_goes_on_after_a_restart_with_its_hash() {
    let bytes = content::bytes(1, 200_000);
    for (algorithm, digest) in [("sha256", digest_of(&bytes)), ("sha512", content::sha512_of(&bytes))] {
        let mut sandbox = Sandbox::start().await;
        let client = sandbox.client();
        let path = format!("/v2/a/blobs/uploads/?digest-algorithm={algorithm}");
        let mut upload = client.post(&path).await.expect(202).location();
        // A chunk that ends amidst a block of the hash, then one after each kind of end.
        for (sent, end) in [(0, 70_001), (70_001, 130_003), (130_003, 200_000)] {
            let client = sandbox.client();
            let status = client.get(&upload).await.expect(204);
            assert_eq!(status.header("range"), format!("0-{}", usize::max(sent, 1) - 1));
            upload = client.append(&upload, sent, &bytes[sent..end]).await.expect(202).location();
            if sent == 0 {
                sandbox.kill9();
            } else {
                assert!(sandbox.terminate().await.success());
            }
            sandbox.restart().await;
        }
        let client = sandbox.client();
        client.finish_upload(&upload, &digest, b"").await.expect(201);
        assert!(client.get_blob("a", &digest).await.expect(200).body == bytes);
    }
}

#[tokio::test]
async fn an_abandoned_upload_expires() {
    let mut sandbox = Sandbox::builder().set("/storage/uploadExpiry", "1s").start().await;
    let client = sandbox.client();
    let mut upload = String::new();
    // The first one may be gone before its first byte, if the machine stands still for as long.
    wait::until("an upload has begun", async || {
        upload = client.start_upload("a").await;
        let appended = client.append(&upload, 0, b"half of it").await;
        appended.status == 202 || appended.expect_error(404, "BLOB_UPLOAD_UNKNOWN").status == 202
    })
    .await;
    let staged = sandbox.root().join("_uploads");
    wait::until("nothing is left of the upload", async || std::fs::read_dir(&staged).unwrap().next().is_none()).await;
    client.get(&upload).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    assert!(sandbox.terminate().await.success());
}

#[tokio::test]
async fn settings_may_change_between_starts() {
    let mut sandbox = Sandbox::builder().set("/storage/dedupe", true).start().await;
    let image = Image::small(1);
    sandbox.client().push_image("a", "latest", &image).await;
    for dedupe in [false, true] {
        assert!(sandbox.terminate().await.success());
        sandbox.set("/storage/dedupe", dedupe);
        sandbox.set("/http/compat", json!(["docker2s2"]));
        sandbox.restart().await;
        let client = sandbox.client();
        assert!(client.get_manifest("a", "latest").await.expect(200).body == image.manifest.bytes);
        // The same content again, now kept the other way, and elsewhere.
        client.push_image("a", "again", &image).await;
        client.push_image(&format!("b-{dedupe}"), "latest", &image).await;
        for blob in image.blobs() {
            assert!(client.get_blob(&format!("b-{dedupe}"), &digest_of(blob)).await.expect(200).body == blob);
        }
    }
}
