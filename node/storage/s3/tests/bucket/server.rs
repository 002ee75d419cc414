//! One S3 server for all tests of this binary, a root directory of its own for each.

use std::sync::{Arc, Weak};

use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
};
use bytes::Bytes;
use futures::TryStreamExt;
use tokio::sync::Mutex;
use zot_config::{Secret, storage};
use zot_contract::UploadId;
use zot_oci::{ByteRange, Digest};
use zot_s3::{Limits, S3Blobs};
use zot_services::s3::{ACCESS_KEY, REGION, S3, SECRET_KEY};
use zot_storage::{
    BlobAddress, BlobKey,
    blobs::{BlobStore, in_memory},
};

/// The bucket of all tests.
pub(crate) const BUCKET: &str = "registry";

static SHARED: Mutex<Weak<S3>> = Mutex::const_new(Weak::new());

/// Leaves the test where there is no server to run.
macro_rules! needs_server {
    ($name:literal) => {
        if let Err(reason) = zot_services::s3::S3::available() {
            return zot_services::skip::skip(concat!("zot_s3::bucket::", $name), &reason);
        }
    };
}
pub(crate) use needs_server;

/// The server of this binary, started by the first test that wants it, gone with the last.
pub(crate) async fn shared() -> Arc<S3> {
    let mut shared = SHARED.lock().await;
    if let Some(server) = shared.upgrade() {
        return server;
    }
    let server = Arc::new(start().await);
    *shared = Arc::downgrade(&server);
    server
}

/// A server of its own for a test that stops it, with the bucket.
pub(crate) async fn start() -> S3 {
    let server = S3::start().await;
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test");
    let config = aws_sdk_s3::Config::builder().behavior_version(BehaviorVersion::latest()).region(Region::new(REGION));
    let config = config.endpoint_url(server.endpoint()).credentials_provider(credentials).force_path_style(true);
    let http = aws_smithy_http_client::Builder::new().build_http();
    Client::from_conf(config.http_client(http).build()).create_bucket().bucket(BUCKET).send().await.unwrap();
    server
}

/// A configuration for the bucket at an endpoint, below a root directory that nobody else has. Parts are as small as S3 takes them.
pub(crate) fn config(endpoint: &str) -> storage::S3 {
    storage::S3 {
        root_directory: format!("/{}", UploadId::random()),
        bucket: BUCKET.into(),
        region: Some(REGION.into()),
        region_endpoint: Some(endpoint.into()),
        force_path_style: Some(true),
        access_key: Some(Secret::new(ACCESS_KEY)),
        secret_key: Some(Secret::new(SECRET_KEY)),
        chunk_size: Some(5 << 20),
        ..storage::S3::default()
    }
}

pub(crate) async fn open(config: &storage::S3) -> S3Blobs {
    S3Blobs::open(config, Limits::default()).await.unwrap()
}

/// Bytes that repeat nowhere near.
pub(crate) fn content(length: usize) -> Bytes {
    let mut state = length as u64 | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state
    };
    (0..length.div_ceil(8)).flat_map(|_| next().to_be_bytes()).take(length).collect()
}

pub(crate) fn key(bytes: &[u8]) -> BlobKey {
    BlobKey::shared(&Digest::sha256(bytes))
}

/// Everything at an address.
pub(crate) async fn read(store: &S3Blobs, at: &BlobAddress, size: usize) -> Vec<u8> {
    let opened = store.read(at, size as u64, ByteRange::whole(size as u64).unwrap()).await.unwrap();
    in_memory(opened).try_collect::<Vec<_>>().await.unwrap().concat()
}
