//! Tags and repositories, whole and in pages.

use serde_json::json;

use crate::{
    http::Options,
    sandbox::{Reply, Sandbox, Setup},
};

async fn with_tags(tags: &[&str]) -> Sandbox {
    let sandbox = Sandbox::start().await;
    let manifest = sandbox.push_image("a/b", tags[0]).await;
    for tag in &tags[1..] {
        assert_eq!(sandbox.push_manifest("a/b", tag, &manifest).await.status, 201);
    }
    sandbox
}

fn tags(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.status, 200, "{reply:?}");
    let json = reply.json();
    assert_eq!(json["name"], "a/b");
    serde_json::from_value(json["tags"].clone()).unwrap()
}

#[tokio::test]
async fn tags_are_listed_in_order() {
    let sandbox = with_tags(&["b", "a", "B", "1"]).await;
    assert_eq!(tags(&sandbox.get("/v2/a/b/tags/list").await), ["1", "B", "a", "b"]);
}

#[tokio::test]
async fn pages_link_to_the_next_until_the_last() {
    let sandbox = with_tags(&["a", "b", "c", "d", "e"]).await;
    let mut path = "/v2/a/b/tags/list?n=2".to_owned();
    let mut pages = Vec::new();
    loop {
        let reply = sandbox.get(&path).await;
        pages.push(tags(&reply));
        let link = reply.header("link");
        if link.is_empty() {
            break;
        }
        path = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap().to_owned();
    }
    assert_eq!(pages, [vec!["a", "b"], vec!["c", "d"], vec!["e"]]);
}

#[tokio::test]
async fn last_need_not_exist() {
    let sandbox = with_tags(&["a", "c"]).await;
    assert_eq!(tags(&sandbox.get("/v2/a/b/tags/list?last=b").await), ["c"]);
    assert_eq!(tags(&sandbox.get("/v2/a/b/tags/list?last=b&n=5").await), ["c"]);
    assert!(tags(&sandbox.get("/v2/a/b/tags/list?last=z").await).is_empty());
}

#[tokio::test]
async fn n_is_bounded_and_must_be_a_number() {
    let sandbox = with_tags(&["a", "b"]).await;
    let none = sandbox.get("/v2/a/b/tags/list?n=0").await;
    assert!(tags(&none).is_empty());
    assert_eq!(none.header("link"), "");
    assert_eq!(tags(&sandbox.get("/v2/a/b/tags/list?n=2").await), ["a", "b"]);
    assert_eq!(sandbox.get("/v2/a/b/tags/list?n=2").await.header("link"), "");
    let huge = sandbox.get("/v2/a/b/tags/list?n=99999999999999999999999999").await;
    assert_eq!(tags(&huge), ["a", "b"]);
    for n in ["-1", "x", "", "1.5", "1&n=2"] {
        let reply = sandbox.get(&format!("/v2/a/b/tags/list?n={n}")).await;
        assert_eq!(reply.refusal(), (400, "UNSUPPORTED".to_owned()), "{n}");
    }
    assert_eq!(sandbox.get("/v2/a/b/tags/list?last=a&last=b").await.status, 400);
    assert_eq!(sandbox.get("/v2/absent/tags/list?n=0").await.status, 404);
}

#[tokio::test]
async fn a_page_is_never_longer_than_the_limit() {
    let setup = Setup { options: Options { page_entries_max: 2, ..Options::default() }, ..Setup::default() };
    let sandbox = Sandbox::with(setup).await;
    for name in ["r1", "r2", "r3"] {
        sandbox.push_image(name, "x").await;
    }
    for path in ["/v2/_catalog", "/v2/_catalog?n=100"] {
        let reply = sandbox.get(path).await;
        assert_eq!(reply.json(), json!({ "repositories": ["r1", "r2"] }));
        assert_eq!(reply.header("link"), "</v2/_catalog?n=2&last=r2>; rel=\"next\"");
    }
}

#[tokio::test]
async fn the_catalog_has_repositories_with_manifests() {
    let sandbox = Sandbox::start().await;
    assert_eq!(sandbox.get("/v2/_catalog").await.json(), json!({ "repositories": [] }));
    sandbox.push_image("b/c", "x").await;
    sandbox.push_image("a", "x").await;
    sandbox.open_upload("only-an-upload").await;
    assert_eq!(sandbox.get("/v2/_catalog").await.json(), json!({ "repositories": ["a", "b/c"] }));
    assert_eq!(sandbox.get("/v2/_catalog?last=a%2Fz").await.json(), json!({ "repositories": ["b/c"] }));
    assert_eq!(sandbox.get("/v2/_catalog?n=x").await.status, 400);
}
