//! The base of the API, health, and how HTTP itself behaves.

use zot_tests::{Client, digest_of, in_both_shapes};

use crate::wire::{Wire, exchange, status};

in_both_shapes!(the_base_of_the_api_says_that_this_is_a_registry, |registry| async move {
    let client = registry.client();
    for path in ["/v2/", "/v2"] {
        let reply = client.get(path).await.expect(200);
        assert_eq!(reply.header("docker-distribution-api-version"), "registry/2.0");
        assert_eq!(reply.header("content-type"), "application/json");
    }
    let extensions = client.get("/v2/_oci/ext/discover").await.expect(200);
    assert_eq!(extensions.json()["extensions"].as_array().unwrap().len(), 0);
});

in_both_shapes!(health_is_told_without_any_rights, |registry| async move {
    for path in ["/livez", "/readyz", "/startupz"] {
        let reply = registry.client().get(path).await.expect(200);
        assert_eq!(reply.text(), "ok", "{path}");
    }
});

in_both_shapes!(what_is_not_there_is_refused_with_the_errors_of_the_specification, |registry| async move {
    let client = registry.client();
    let absent = digest_of(b"absent");
    client.get("/v3/").await.expect(404);
    client.get("/v2/a/unknown").await.expect(404);
    client.get("/v2/a/tags/list").await.expect_error(404, "NAME_UNKNOWN");
    client.get_blob("a", &absent).await.expect(404);
    client.get_manifest("a", "latest").await.expect(404);
    client.get_manifest("a", &absent).await.expect(404);
    client.get("/v2/UPPER/tags/list").await.expect_error(400, "NAME_INVALID");
    client.get_blob("a", "sha256:baddigeststring").await.expect_error(400, "DIGEST_INVALID");
    client.get_manifest("a", "sha256:baddigeststring").await.expect_error(400, "DIGEST_INVALID");
});

in_both_shapes!(a_method_that_an_endpoint_lacks_is_refused_with_those_it_has, |registry| async move {
    let client = registry.client();
    for (path, allowed) in [("/v2/", "GET"), ("/v2/a/tags/list", "GET"), ("/v2/a/blobs/uploads/", "POST")] {
        let reply = client.delete(path).await.expect_error(405, "UNSUPPORTED");
        assert!(reply.header("allow").contains(allowed), "{path}: {}", reply.header("allow"));
    }
});

in_both_shapes!(browsers_of_other_origins_may_read_lists_and_manifests, |registry| async move {
    let client = registry.client();
    let reply = client.request(http::Method::OPTIONS, "/v2/a/tags/list").await.expect(204);
    assert_eq!(reply.header("access-control-allow-methods"), "GET,OPTIONS");
    assert_eq!(reply.header("access-control-allow-headers"), "Authorization,content-type,X-ZOT-API-CLIENT");
    let reply = client.get("/v2/_catalog").await.expect(200);
    assert_eq!(reply.header("access-control-allow-origin"), "*");
});

in_both_shapes!(http_2_works_without_tls_too, |registry| async move {
    let client = Client::http2(&registry.url());
    let digest = client.push_blob("a", b"over one connection").await;
    let gets = (0..50).map(|_| async { client.get_blob("a", &digest).await.expect(200).text() });
    for text in futures::future::join_all(gets).await {
        assert_eq!(text, "over one connection");
    }
});

in_both_shapes!(a_client_may_wait_for_leave_to_send_its_body, |registry| async move {
    let head = |digest: &str| {
        let path = format!("/v2/a/blobs/uploads/?digest={digest}");
        format!("POST {path} HTTP/1.1\r\nHost: r\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    };
    let mut wire = Wire::open(&registry).await;
    wire.send(&head(&digest_of(b"four"))).await;
    assert_eq!(status(&wire.read_until("\r\n\r\n").await), 100);
    wire.send("four").await;
    assert_eq!(status(&wire.read_until("\r\n\r\n").await), 201);
    // What is refused anyway is refused before the body was sent.
    let mut wire = Wire::open(&registry).await;
    wire.send(&head("sha256:bad")).await;
    assert_eq!(status(&wire.read_until("\r\n\r\n").await), 400);
});

in_both_shapes!(requests_on_one_connection_are_answered_in_their_order, |registry| async move {
    let mut wire = Wire::open(&registry).await;
    let request =
        |method: &str, path: &str, connection: &str| format!("{method} {path} HTTP/1.1\r\nHost: r\r\nConnection: {connection}\r\n\r\n");
    let keep = request("GET", "/v2/", "keep-alive") + &request("HEAD", "/v2/_catalog", "keep-alive") + &request("GET", "/livez", "close");
    wire.send(&keep).await;
    let answers = wire.read_to_end().await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
    assert!(answers.ends_with("\r\n\r\nok"), "{answers}");
});

in_both_shapes!(every_request_has_an_id_that_the_answer_tells, |registry| async move {
    let client = registry.client();
    let (one, two) = (client.get("/v2/").await, client.get("/v2/").await);
    assert_ne!(one.header("x-request-id"), "");
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
});

in_both_shapes!(what_is_no_http_is_refused, |registry| async move {
    for request in ["\u{16}\u{3}\u{1}\u{2}", "GET\r\n\r\n", "GET /v2/ HTTP/9.9\r\n\r\n", "GET /v2/ HTTP/1.1\r\nbad header\r\n\r\n"] {
        let mut wire = Wire::open(&registry).await;
        wire.send(request).await;
        wire.send("\r\n\r\n").await;
        let answer = wire.read_to_end().await;
        assert!(answer.is_empty() || status(&answer) == 400, "{request:?}: {answer}");
    }
    assert_eq!(status(&exchange(&registry, "GET /v2/", "", "").await), 200);
});
