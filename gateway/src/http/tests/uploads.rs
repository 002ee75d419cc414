//! Blobs on their way in.

use axum::body::Body;
use futures::stream;
use zot_oci::{Algorithm, Digest};

use crate::sandbox::{Reply, Sandbox, wire::Wire};

async fn write(sandbox: &Sandbox, method: &str, path: &str, range: &str, body: impl Into<Body>) -> Reply {
    let mut request = sandbox.request(method, path);
    if !range.is_empty() {
        request = request.header("content-range", range);
    }
    sandbox.send(request.body(body.into()).unwrap()).await
}

fn of_unknown_length(content: &'static str) -> Body {
    Body::from_stream(stream::iter(content.as_bytes().chunks(3).map(Ok::<_, std::io::Error>)))
}

async fn assert_pushed(sandbox: &Sandbox, reply: &Reply, content: &str) {
    let digest = Digest::sha256(content.as_bytes());
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(reply.header("docker-content-digest"), digest.to_string());
    assert_eq!(reply.header("location"), format!("/v2/a/b/blobs/{digest}"));
    assert!(reply.body.is_empty());
    assert_eq!(sandbox.get(reply.header("location")).await.body, content.to_owned());
}

fn digest_of(content: &str) -> Digest {
    Digest::sha256(content.as_bytes())
}

#[tokio::test]
async fn an_upload_has_a_place_and_a_name() {
    let sandbox = Sandbox::start().await;
    for path in ["/v2/a/b/blobs/uploads/", "/v2/a/b/blobs/uploads"] {
        let reply = sandbox.call("POST", path).await;
        let upload = reply.header("docker-upload-uuid").to_owned();
        assert_eq!((reply.status, reply.header("range")), (202, "0-0"));
        assert_eq!(reply.header("location"), format!("/v2/a/b/blobs/uploads/{upload}"));
        assert_eq!(reply.header("blob-upload-uuid"), upload);
        let status = sandbox.get(reply.header("location")).await;
        assert_eq!((status.status, status.header("range")), (204, "0-0"));
        assert_eq!(status.header("location"), reply.header("location"));
    }
}

#[tokio::test]
async fn a_blob_can_come_whole() {
    let sandbox = Sandbox::start().await;
    let upload = sandbox.open_upload("a/b").await;
    let reply = write(&sandbox, "PUT", &format!("{upload}?digest={}", digest_of("content")), "", "content").await;
    assert_pushed(&sandbox, &reply, "content").await;
    assert_eq!(reply.header("content-length"), "0");
    assert_eq!(sandbox.get(&upload).await.refusal(), (404, "BLOB_UPLOAD_UNKNOWN".to_owned()));
    let upload = sandbox.open_upload("a/b").await;
    let path = format!("{upload}?digest={}", digest_of("streamed content")).replace(':', "%3A");
    let reply = write(&sandbox, "PUT", &path, "", of_unknown_length("streamed content")).await;
    assert_pushed(&sandbox, &reply, "streamed content").await;
}

#[tokio::test]
async fn a_blob_can_come_with_the_first_request() {
    let sandbox = Sandbox::start().await;
    for (content, body) in [("one", Body::from("one")), ("another", of_unknown_length("another")), ("", Body::empty())] {
        let path = format!("/v2/a/b/blobs/uploads/?digest={}", digest_of(content));
        assert_pushed(&sandbox, &write(&sandbox, "POST", &path, "", body).await, content).await;
    }
    let path = format!("/v2/a/b/blobs/uploads/?digest={}", digest_of("other"));
    assert_eq!(write(&sandbox, "POST", &path, "", "content").await.refusal(), (400, "DIGEST_INVALID".to_owned()));
}

#[tokio::test]
async fn a_blob_can_come_as_a_stream() {
    let sandbox = Sandbox::start().await;
    let upload = sandbox.open_upload("a/b").await;
    let reply = write(&sandbox, "PATCH", &upload, "", of_unknown_length("first ")).await;
    assert_eq!((reply.status, reply.header("range")), (202, "0-5"));
    let reply = write(&sandbox, "PATCH", reply.header("location"), "", "second").await;
    assert_eq!((reply.status, reply.header("range")), (202, "0-11"));
    assert_eq!(sandbox.get(&upload).await.header("range"), "0-11");
    let reply = write(&sandbox, "PUT", &format!("{upload}?digest={}", digest_of("first second")), "", "").await;
    assert_pushed(&sandbox, &reply, "first second").await;
}

#[tokio::test]
async fn a_blob_can_come_in_chunks() {
    let sandbox = Sandbox::start().await;
    let upload = sandbox.open_upload("a/b").await;
    assert_eq!(write(&sandbox, "PATCH", &upload, "0-3", "0123").await.header("range"), "0-3");
    assert_eq!(write(&sandbox, "PATCH", &upload, "bytes 4-5/*", "45").await.header("range"), "0-5");
    assert_eq!(write(&sandbox, "PATCH", &upload, "6-7", of_unknown_length("67")).await.header("range"), "0-7");
    let reply = write(&sandbox, "PUT", &format!("{upload}?digest={}", digest_of("0123456789")), "8-9", "89").await;
    assert_pushed(&sandbox, &reply, "0123456789").await;
}

#[tokio::test]
async fn a_chunk_out_of_order_is_refused_and_the_upload_goes_on() {
    let sandbox = Sandbox::start().await;
    let upload = sandbox.open_upload("a/b").await;
    assert_eq!(write(&sandbox, "PATCH", &upload, "5-9", "56789").await.header("range"), "0-0");
    assert_eq!(write(&sandbox, "PATCH", &upload, "0-4", "01234").await.status, 202);
    for (method, path, range, body) in [
        ("PATCH", upload.clone(), "0-4", "01234"),
        ("PATCH", upload.clone(), "7-9", "789"),
        ("PUT", format!("{upload}?digest={}", digest_of("0123456789")), "7-9", "789"),
    ] {
        let reply = write(&sandbox, method, &path, range, body).await;
        assert_eq!(reply.refusal(), (416, "BLOB_UPLOAD_INVALID".to_owned()), "{method} {range}");
        assert_eq!((reply.header("location"), reply.header("range")), (upload.as_str(), "0-4"));
    }
    let reply = write(&sandbox, "PUT", &format!("{upload}?digest={}", digest_of("0123456789")), "5-9", "56789").await;
    assert_pushed(&sandbox, &reply, "0123456789").await;
}

#[tokio::test]
async fn a_chunk_must_be_as_long_as_it_says() {
    let sandbox = Sandbox::start().await;
    let upload = sandbox.open_upload("a/b").await;
    for (range, body) in [("0-4", Body::from("0123")), ("0-2", Body::from("0123"))] {
        assert_eq!(write(&sandbox, "PATCH", &upload, range, body).await.refusal(), (400, "SIZE_INVALID".to_owned()));
    }
    for range in ["x", "5", "9-5", "0-", "-1", "0-99999999999999999999", "bytes */10"] {
        let reply = write(&sandbox, "PATCH", &upload, range, "0123").await;
        assert_eq!(reply.refusal(), (400, "BLOB_UPLOAD_INVALID".to_owned()), "{range}");
    }
    assert_eq!(sandbox.get(&upload).await.header("range"), "0-0");
    let reply = write(&sandbox, "PATCH", &upload, "0-9", of_unknown_length("0123")).await;
    assert_eq!(reply.refusal(), (400, "SIZE_INVALID".to_owned()));
    assert_eq!(sandbox.get(&upload).await.header("range"), "0-3");
}

#[tokio::test]
async fn digests_are_needed_and_checked() {
    let sandbox = Sandbox::start().await;
    let upload = sandbox.open_upload("a/b").await;
    for query in ["", "?digest=", "?digest=x", "?digest=sha256:x", "?digest=md5:d41d8cd98f00b204e9800998ecf8427e"] {
        let reply = write(&sandbox, "PUT", &format!("{upload}{query}"), "", "content").await;
        assert_eq!(reply.refusal(), (400, "DIGEST_INVALID".to_owned()), "{query}");
    }
    let digest = digest_of("content");
    assert_eq!(write(&sandbox, "PUT", &format!("{upload}?digest={digest}&digest={digest}"), "", "content").await.status, 400);
    let other = digest_of("other");
    let reply = write(&sandbox, "PUT", &format!("{upload}?digest={other}"), "", "content").await;
    assert_eq!(reply.refusal(), (400, "DIGEST_INVALID".to_owned()));
    assert_eq!(sandbox.get(&format!("/v2/a/b/blobs/{other}")).await.status, 404);
}

#[tokio::test]
async fn other_algorithms_can_be_asked_for() {
    let sandbox = Sandbox::start().await;
    let reply = sandbox.call("POST", "/v2/a/blobs/uploads/?digest-algorithm=sha512").await;
    assert_eq!(reply.status, 202);
    let digest = Digest::of(Algorithm::Sha512, b"content");
    let reply = write(&sandbox, "PUT", &format!("{}?digest={digest}", reply.header("location")), "", "content").await;
    assert_eq!((reply.status, reply.header("docker-content-digest")), (201, digest.to_string().as_str()));
    let reply = sandbox.call("POST", "/v2/a/blobs/uploads/?digest-algorithm=crc32").await;
    assert_eq!(reply.refusal(), (400, "DIGEST_INVALID".to_owned()));
}

#[tokio::test]
async fn blobs_of_other_repositories_can_be_mounted() {
    let sandbox = Sandbox::start().await;
    let digest = sandbox.push_blob("source", "content").await;
    let reply = sandbox.call("POST", &format!("/v2/a/b/blobs/uploads/?mount={digest}&from=source")).await;
    assert_pushed(&sandbox, &reply, "content").await;
    let anywhere = sandbox.push_blob("source", "more").await;
    let reply = sandbox.call("POST", &format!("/v2/a/b/blobs/uploads/?mount={anywhere}")).await;
    assert_pushed(&sandbox, &reply, "more").await;
    for query in [
        format!("mount={}", digest_of("absent")),
        format!("mount={}&from=source", digest_of("absent")),
        format!("mount={digest}&from=absent"),
        format!("mount={digest}&from=..%2f"),
        "from=source".to_owned(),
    ] {
        let reply = sandbox.call("POST", &format!("/v2/other/blobs/uploads/?{query}")).await;
        assert_eq!(reply.status, 202, "{query}");
        assert!(reply.header("location").starts_with("/v2/other/blobs/uploads/"));
    }
    let reply = sandbox.call("POST", "/v2/other/blobs/uploads/?mount=x&from=source").await;
    assert_eq!(reply.refusal(), (400, "DIGEST_INVALID".to_owned()));
}

#[tokio::test]
async fn the_second_of_two_writers_is_told_so() {
    let sandbox = Sandbox::start().await;
    let upload = sandbox.open_upload("a/b").await;
    let mut first = Wire::connect(sandbox.address).await;
    first.send(format!("PATCH {upload} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234")).await;
    while sandbox.get(&upload).await.header("range") != "0-4" {
        tokio::task::yield_now().await;
    }
    let second = write(&sandbox, "PATCH", &upload, "", "other").await;
    assert_eq!(second.refusal(), (409, "BLOB_UPLOAD_INVALID".to_owned()));
    assert_eq!(second.header("location"), upload);
    first.send("56789").await;
    assert!(first.read_head().await.contains("range: 0-9\r\n"));
}

#[tokio::test]
async fn an_upload_can_be_cancelled() {
    let sandbox = Sandbox::start().await;
    let upload = sandbox.open_upload("a/b").await;
    assert_eq!(sandbox.call("DELETE", &upload).await.status, 204);
    for method in ["GET", "PATCH", "DELETE"] {
        assert_eq!(sandbox.call(method, &upload).await.refusal(), (404, "BLOB_UPLOAD_UNKNOWN".to_owned()));
    }
    let elsewhere = sandbox.open_upload("a/b").await.replace("a/b", "other");
    assert_eq!(sandbox.get(&elsewhere).await.refusal(), (404, "BLOB_UPLOAD_UNKNOWN".to_owned()));
}

#[tokio::test]
async fn everything_works_over_http2_too() {
    let sandbox = Sandbox::start().await.over_http2();
    let upload = sandbox.open_upload("a/b").await;
    let content = "0123456789".repeat(100_000);
    let reply = write(&sandbox, "PATCH", &upload, "", content.clone()).await;
    assert_eq!((reply.status, reply.header("range")), (202, "0-999999"));
    assert_eq!(write(&sandbox, "PATCH", &upload, "5-9", "56789").await.status, 416);
    let reply = write(&sandbox, "PUT", &format!("{upload}?digest={}", digest_of(&content)), "", "").await;
    assert_pushed(&sandbox, &reply, &content).await;
    let manifest = sandbox.push_image("a/b", "v1").await;
    assert_eq!(sandbox.get("/v2/a/b/manifests/v1").await.body, manifest);
    let head = sandbox.call("HEAD", "/v2/a/b/manifests/v1").await;
    assert_eq!((head.header("content-length"), head.body.len()), (manifest.len().to_string().as_str(), 0));
    assert_eq!(sandbox.push_manifest("a", "v1", "{").await.status, 400);
}
