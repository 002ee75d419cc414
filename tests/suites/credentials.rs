//! Where the keys for S3 and DynamoDB come from when the configuration has none: what every program that uses AWS looks at.

use std::fs;

use serde_json::Value;
use zot_services::{
    InstanceMetadata,
    s3::{ACCESS_KEY, SECRET_KEY},
};
use zot_tests::{Image, Sandbox, cluster::Services, sandbox::Builder, skip::skip};

/// A registry in the servers of all tests that knows no key of them, or nothing after saying that this test is skipped.
async fn without_keys(test: &str) -> Option<Builder> {
    if let Err(reason) = Services::available() {
        skip(&format!("credentials::{test}"), &reason);
        return None;
    }
    let mut builder = Sandbox::builder().shared(&Services::shared().await.endpoints());
    for key in ["accesskey", "secretkey"] {
        builder = builder.set(&format!("/storage/storageDriver/{key}"), Value::Null);
    }
    let nowhere = builder.directory().join("nothing");
    let nowhere = nowhere.to_str().unwrap();
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_SESSION_TOKEN", ""),
        ("AWS_CONFIG_FILE", nowhere),
        ("AWS_SHARED_CREDENTIALS_FILE", nowhere),
    ] {
        builder = builder.environment(name, value);
    }
    Some(builder)
}

/// Has the registry look into a file with two profiles, one of which has a wrong secret, and take this one.
fn with_profile(builder: Builder, profile: &str) -> Builder {
    let file = builder.directory().join("credentials");
    let keys = |secret: &str| format!("aws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {secret}\n");
    fs::write(&file, format!("[default]\n{}[registry]\n{}", keys("wrong"), keys(SECRET_KEY))).unwrap();
    let builder = builder.environment("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap()).environment("AWS_PROFILE", profile);
    builder.environment("AWS_EC2_METADATA_DISABLED", "true")
}

async fn serves(sandbox: &Sandbox) {
    let (client, image) = (sandbox.client(), Image::small(1));
    client.push_image("a", "v1", &image).await;
    assert!(client.get_manifest("a", "v1").await.expect(200).body == image.manifest.bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_come_from_the_profile_that_the_environment_names() {
    let Some(builder) = without_keys("keys_come_from_the_profile_that_the_environment_names").await else { return };
    serves(&with_profile(builder, "registry").start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_with_a_wrong_secret_is_told_as_denied() {
    let Some(builder) = without_keys("a_profile_with_a_wrong_secret_is_told_as_denied").await else { return };
    let denied = "is denied: check the credentials";
    let mut sandbox = with_profile(builder, "default").tolerate_errors(denied).prepare();
    sandbox.spawn();
    assert!(!sandbox.ended().await.success());
    assert!(sandbox.logs().text().contains(denied), "{}", sandbox.logs());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_come_from_the_role_of_the_machine() {
    let Some(builder) = without_keys("keys_come_from_the_role_of_the_machine").await else { return };
    let metadata = InstanceMetadata::start(ACCESS_KEY, SECRET_KEY);
    let sandbox = builder.environment("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata.endpoint()).start().await;
    serves(&sandbox).await;
    let asked = metadata.asked();
    for path in ["PUT /latest/api/token", "GET /latest/meta-data/iam/security-credentials/registry"] {
        assert!(asked.iter().any(|asked| asked == path), "{path}: {asked:?}");
    }
}
