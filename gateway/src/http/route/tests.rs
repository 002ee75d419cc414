//! Paths to routes, as one table; and what must hold for any path.

use proptest::prelude::*;

use super::*;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const UPLOAD: &str = "1b4e28ba-2fa1-41d2-883f-0016d3cca427";

fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

fn manifest(name: &str, reference: &str) -> Route {
    Route::Manifest { repository: repository(name), reference: reference.parse().unwrap() }
}

fn blob(name: &str) -> Route {
    Route::Blob { repository: repository(name), digest: DIGEST.parse().unwrap() }
}

fn uploads(name: &str) -> Route {
    Route::Uploads { repository: repository(name) }
}

fn upload(name: &str) -> Route {
    Route::Upload { repository: repository(name), upload: UPLOAD.parse().unwrap() }
}

fn tags(name: &str) -> Route {
    Route::Tags { repository: repository(name) }
}

#[test]
fn every_endpoint_has_its_path() {
    let table = [
        ("/v2", Route::Base),
        ("/v2/", Route::Base),
        ("/v2/_catalog", Route::Catalog),
        ("/v2/_oci/ext/discover", Route::Discover),
        ("/livez", Route::Live),
        ("/readyz", Route::Ready),
        ("/startupz", Route::Started),
        ("/v2/a/tags/list", tags("a")),
        ("/v2/a/b/c/tags/list", tags("a/b/c")),
        ("/v2/a/manifests/latest", manifest("a", "latest")),
        ("/v2/a/b/manifests/v1.0-rc_1", manifest("a/b", "v1.0-rc_1")),
        (&format!("/v2/a/manifests/{DIGEST}"), manifest("a", DIGEST)),
        (&format!("/v2/a/b/blobs/{DIGEST}"), blob("a/b")),
        ("/v2/a/b/blobs/uploads", uploads("a/b")),
        ("/v2/a/b/blobs/uploads/", uploads("a/b")),
        (&format!("/v2/a/b/blobs/uploads/{UPLOAD}"), upload("a/b")),
        (&format!("/v2/a/referrers/{DIGEST}"), Route::Referrers { repository: repository("a"), subject: DIGEST.parse().unwrap() }),
    ];
    for (path, route) in table {
        assert_eq!(Route::parse(path), Ok(route), "{path}");
    }
}

#[test]
fn the_words_of_endpoints_may_stand_in_names() {
    let table = [
        ("/v2/manifests/manifests/latest", manifest("manifests", "latest")),
        ("/v2/a/manifests/b/manifests/latest", manifest("a/manifests/b", "latest")),
        ("/v2/a/blobs/uploads/manifests/latest", manifest("a/blobs/uploads", "latest")),
        ("/v2/blobs/blobs/uploads/", uploads("blobs")),
        ("/v2/a/blobs/uploads/blobs/uploads/", uploads("a/blobs/uploads")),
        ("/v2/a/manifests/tags/list", tags("a/manifests")),
        ("/v2/tags/list/tags/list", tags("tags/list")),
        (&format!("/v2/a/blobs/blobs/uploads/{UPLOAD}"), upload("a/blobs")),
        (&format!("/v2/uploads/blobs/{DIGEST}"), blob("uploads")),
    ];
    for (path, route) in table {
        assert_eq!(Route::parse(path), Ok(route), "{path}");
    }
}

#[test]
fn escapes_are_decoded_once() {
    let escaped = DIGEST.replace(':', "%3A");
    assert_eq!(Route::parse(&format!("/v2/a/blobs/{escaped}")), Ok(blob("a")));
    assert_eq!(Route::parse("/v2/%61/manifests/%6catest"), Ok(manifest("a", "latest")));
    let twice = DIGEST.replace(':', "%253A");
    assert!(matches!(Route::parse(&format!("/v2/a/blobs/{twice}")), Err(Unroutable::Digest(_))));
}

#[test]
fn other_paths_are_unknown() {
    for path in [
        "",
        "/",
        "*",
        "/v1/",
        "/v2x",
        "/V2/",
        "//v2/",
        "/v2/a",
        "/v2/a/",
        "/v2/tags/list",
        "/v2/manifests/latest",
        "/v2/a/tags",
        "/v2/a/tags/list/",
        "/v2/a/tags/listing",
        "/v2/a/manifest/latest",
        "/v2/_catalog/",
        "/v2/_zot/ext/search",
        "/livez/",
        "/v2/blobs/uploads/x",
        "/../v2/",
    ] {
        assert_eq!(Route::parse(path), Err(Unroutable::Unknown), "{path}");
    }
}

#[test]
fn names_cannot_climb_or_smuggle() {
    for path in [
        "/v2/../manifests/latest",
        "/v2/a/../b/manifests/latest",
        "/v2/a//b/tags/list",
        "/v2//tags/list",
        "/v2/./a/tags/list",
        "/v2/A/tags/list",
        "/v2/_a/tags/list",
        "/v2/a%20b/tags/list",
        "/v2/%2e%2e/a/tags/list",
        "/v2/a%25/tags/list",
        "/v2/ä/tags/list",
        "/v2/a/blobs//blobs/uploads/",
    ] {
        assert!(matches!(Route::parse(path), Err(Unroutable::Name(_))), "{path}");
    }
    for path in ["/v2/a%2fb/tags/list", "/v2/a%00/tags/list", "/v2/%", "/v2/a%5cb/tags/list", "/%2e%2e%2fv2/"] {
        assert!(matches!(Route::parse(path), Err(Unroutable::Escape(_))), "{path}");
    }
}

#[test]
fn the_last_part_must_be_of_its_kind() {
    for path in ["/v2/a/manifests/.x", "/v2/a/manifests/", "/v2/a/manifests/a b", "/v2/a/manifests/.."] {
        assert!(matches!(Route::parse(path), Err(Unroutable::Tag(_))), "{path}");
    }
    for path in [
        "/v2/a/manifests/sha256:baddigeststring",
        "/v2/a/blobs/latest",
        "/v2/a/blobs/",
        "/v2/a/blobs/md5:d41d8cd98f00b204e9800998ecf8427e",
        "/v2/a/referrers/x",
    ] {
        assert!(matches!(Route::parse(path), Err(Unroutable::Digest(_))), "{path}");
    }
    for path in ["/v2/a/blobs/uploads/x", "/v2/a/blobs/uploads/.."] {
        assert_eq!(Route::parse(path), Err(Unroutable::Upload), "{path}");
    }
}

proptest! {
    #[test]
    fn no_path_makes_the_parser_fail(path in "\\PC*") {
        let _ = Route::parse(&path);
    }

    #[test]
    fn paths_near_the_endpoints_parse_to_what_they_print(
        parts in prop::collection::vec(
            prop::sample::select(vec!["v2", "a", "b-c", "blobs", "uploads", "manifests", "tags", "list", "referrers", "", "..", "%2f", "%61", DIGEST, UPLOAD]),
            0..8,
        ),
    ) {
        let path = format!("/v2/{}", parts.join("/"));
        if let Ok(route) = Route::parse(&path) {
            prop_assert_eq!(Route::parse(&route.to_string()), Ok(route));
        }
    }

    #[test]
    fn any_name_and_tag_come_back(name in "[a-z0-9]{1,8}([._-][a-z0-9]{1,4}){0,2}(/(blobs|uploads|tags|list|manifests|[a-z]{1,5})){0,4}", tag in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,40}") {
        for route in [manifest(&name, &tag), tags(&name), uploads(&name), upload(&name), blob(&name)] {
            prop_assert_eq!(Route::parse(&route.to_string()), Ok(route));
        }
    }
}
