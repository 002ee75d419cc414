//! Opening a bucket: what the configuration says, and what is said about a bucket that cannot be used.

use zot_config::{Secret, storage};
use zot_s3::{Limits, OpenError, S3Blobs};
use zot_services::port;
use zot_storage::blobs::BlobStore;

use crate::{
    proxy::Proxy,
    server::{BUCKET, config, content, key, needs_server, read, shared},
};

async fn refused(config: &storage::S3) -> OpenError {
    S3Blobs::open(config, Limits { attempts_max: 1, ..Limits::default() }).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_cannot_be_used_is_named_with_the_reason() {
    needs_server!("opening::a_bucket_that_cannot_be_used_is_named_with_the_reason");
    let server = shared().await;
    let good = config(&server.endpoint());

    let missing = refused(&storage::S3 { bucket: "nowhere".into(), ..good.clone() }).await;
    assert!(matches!(missing, OpenError::NoSuchBucket { .. }), "{missing:?}");
    assert_eq!(missing.to_string(), format!("bucket `nowhere` does not exist at {}", server.endpoint()));
    for wrong in [
        storage::S3 { secret_key: Some(Secret::new("wrong")), ..good.clone() },
        storage::S3 { access_key: Some(Secret::new("AKIANOBODY")), ..good.clone() },
    ] {
        let denied = refused(&wrong).await;
        assert!(matches!(denied, OpenError::Denied { .. }), "{denied:?}");
        assert!(denied.to_string().starts_with(&format!("access to bucket `{BUCKET}` at {} is denied", server.endpoint())));
    }
    let endpoint = format!("127.0.0.1:{}", port::free());
    let unreachable = refused(&storage::S3 { region_endpoint: Some(endpoint.clone()), secure: false, ..good }).await;
    assert_eq!(unreachable.to_string(), format!("open bucket `{BUCKET}` at http://{endpoint}"));
}

#[tokio::test]
async fn a_name_that_cannot_be_sent_is_refused_before_anybody_is_asked() {
    let agent = refused(&storage::S3 { user_agent: Some("a\nb".into()), ..config("http://127.0.0.1:1") }).await;
    assert!(matches!(agent, OpenError::UserAgent(_)), "{agent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_taken_unchecked_only_if_the_configuration_says_so() {
    needs_server!("opening::a_certificate_is_taken_unchecked_only_if_the_configuration_says_so");
    let server = shared().await;
    let proxy = Proxy::tls(&server.endpoint()).await;
    let checked = config(&proxy.address);
    let untrusted = refused(&checked).await;
    assert!(matches!(untrusted, OpenError::Failed { .. }), "{untrusted:?}");

    let unchecked = storage::S3 { skip_verify: true, ..checked };
    let store = S3Blobs::open(&unchecked, Limits::default()).await.unwrap();
    let bytes = content(6 << 20);
    let mut staged = store.stage(zot_contract::UploadId::random()).await.unwrap();
    staged.write(vec![bytes.clone()]).await.unwrap();
    let place = staged.commit(&key(&bytes)).await.unwrap();
    assert!(read(&store, &zot_storage::BlobAddress { key: key(&bytes), place }, bytes.len()).await == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_of_the_configuration_is_taken() {
    needs_server!("opening::every_key_of_the_configuration_is_taken");
    let server = shared().await;
    let all = storage::S3 {
        storage_class: Some("STANDARD".into()),
        object_acl: Some("private".into()),
        user_agent: Some("registry/1".into()),
        log_level: Some("debug".into()),
        multipart_copy_chunk_size: Some(1),
        multipart_copy_max_concurrency: Some(1),
        multipart_copy_threshold_size: Some(1),
        v4_auth: true,
        region_endpoint: server.endpoint().strip_prefix("http://").map(str::to_owned),
        secure: false,
        ..config(&server.endpoint())
    };
    let store = S3Blobs::open(&all, Limits::default()).await.unwrap();
    let bytes = content(10);
    store.put(&key(&bytes), bytes.clone()).await.unwrap();
    assert_eq!(read(&store, &key(&bytes).into(), 10).await, bytes);
}
