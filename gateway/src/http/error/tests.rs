//! Every error of the contract and what the client is told of it.

use http_body_util::BodyExt as _;
use zot_contract::{RequestId, UploadId};
use zot_oci::{InvalidManifest, RepositoryName};

use super::*;

fn every_error() -> Vec<(Error, u16, &'static str)> {
    let repository = || -> RepositoryName { "library/alpine".parse().unwrap() };
    let digest = Digest::sha256(b"");
    let upload = UploadId::random();
    let gone = || std::io::Error::other("secret path /var/lib");
    vec![
        (Error::NameUnknown { repository: repository() }, 404, "NAME_UNKNOWN"),
        (Error::BlobUnknown { repository: repository(), digest }, 404, "BLOB_UNKNOWN"),
        (Error::BlobReferenced { repository: repository(), digest, manifest: digest }, 405, "DENIED"),
        (Error::ManifestReferenced { repository: repository(), digest, index: digest }, 405, "DENIED"),
        (Error::ManifestUnknown { repository: repository(), reference: digest.into() }, 404, "MANIFEST_UNKNOWN"),
        (Error::ManifestInvalid { reason: InvalidManifest::Ambiguous { found: "layers" } }, 400, "MANIFEST_INVALID"),
        (Error::ManifestBlobUnknown { repository: repository(), digest }, 400, "MANIFEST_BLOB_UNKNOWN"),
        (Error::DigestMismatch { expected: digest, found: Digest::sha256(b"x") }, 400, "DIGEST_INVALID"),
        (Error::TagExists { repository: repository(), tag: "v1".parse().unwrap() }, 403, "DENIED"),
        (Error::TagUnknown { repository: repository(), tag: "v1".parse().unwrap() }, 403, "DENIED"),
        (Error::ManifestTagged { repository: repository(), digest, tags: 2 }, 409, "MANIFEST_INVALID"),
        (Error::UploadUnknown { upload }, 404, "BLOB_UPLOAD_UNKNOWN"),
        (Error::UploadOffset { upload, expected: 5, found: 7 }, 416, "BLOB_UPLOAD_INVALID"),
        (Error::UploadBusy { upload }, 409, "BLOB_UPLOAD_INVALID"),
        (Error::BodyBroken("connection reset".into()), 400, "SIZE_INVALID"),
        (Error::BodyBroken(Box::new(Stalled { limit: Duration::from_secs(60) })), 408, "SIZE_INVALID"),
        (Error::BodyBroken(Box::new(TooSlow { bytes: 1, bytes_min: 6000, waited: Duration::from_secs(60) })), 408, "SIZE_INVALID"),
        (Error::Unavailable { what: "storage", retry_after: Duration::from_millis(1500), source: gone().into() }, 503, "UNAVAILABLE"),
        (Error::Moved { view: 3 }, 503, "UNAVAILABLE"),
        (Error::UserChanged { user: "alice".parse().unwrap() }, 503, "UNAVAILABLE"),
        (Error::UserTooLarge { user: "alice".parse().unwrap(), bytes: 7 }, 413, "SIZE_INVALID"),
        (Error::internal(gone()), 500, "UNKNOWN"),
    ]
}

async fn told(refusal: Refusal) -> (Response, serde_json::Value) {
    let (parts, body) = refusal.render(&RequestId::new("r1")).into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(parts, ()), serde_json::from_slice(&bytes).unwrap())
}

type Response = axum::http::Response<()>;

#[tokio::test]
async fn every_error_has_a_status_a_code_and_a_body() {
    for (error, status, code) in every_error() {
        let text = error.to_string();
        let (response, body) = told(error.into()).await;
        assert_eq!(response.status(), status, "{text}");
        assert_eq!(response.headers()["content-type"], "application/json");
        let entry = &body["errors"][0];
        assert_eq!(entry["code"], code, "{text}");
        assert!(entry["message"].is_string());
        assert_eq!(entry["detail"]["requestId"], "r1");
    }
}

#[tokio::test]
async fn faults_are_for_the_log_alone() {
    for (error, status, _) in every_error() {
        let refusal = Refusal::from(error);
        assert_eq!(refusal.fault().is_some(), status >= 500);
        let (_, body) = told(refusal).await;
        assert!(!body.to_string().contains("secret"), "{body}");
    }
}

#[tokio::test]
async fn headers_say_how_to_go_on() {
    for (error, status, _) in every_error() {
        let (response, _) = told(error.into()).await;
        match status {
            416 => assert_eq!(response.headers()["range"], "0-4"),
            503 => assert!(["1", "2"].contains(&response.headers()["retry-after"].to_str().unwrap())),
            405 => assert_eq!(response.headers()["allow"], "GET, HEAD"),
            408 => assert_eq!(response.headers()["connection"], "close"),
            _ => {}
        }
    }
}

#[test]
fn an_upload_without_bytes_has_the_range_of_one() {
    assert_eq!(accepted(0), "0-0");
    assert_eq!(accepted(1), "0-0");
    assert_eq!(accepted(10), "0-9");
}
