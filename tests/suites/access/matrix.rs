//! Every endpoint of repositories, on real ports and in both shapes: who gets through is what the rules say, read by a model of their own.

use std::{path::PathBuf, sync::LazyLock};

use futures::stream::{self, StreamExt as _};
use http::Method;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use zot_tests::{Client, Reply, in_both_shapes, shapes::Settings};

const ACTIONS: [&str; 4] = ["read", "create", "update", "delete"];
/// Sets of them, a bit for each: none, each alone, all.
const SETS: [usize; 6] = [0, 1, 2, 4, 8, 15];
/// By whom the rules of a repository may be held: a user, a group, everybody who is known, nobody in particular.
const HOLDERS: [&str; 4] = ["alice", "dev", "known", "nobody"];
const PEOPLE: [&str; 5] = ["nobody", "alice", "bob", "carol", "root"];
const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// How many requests are under way at a time.
pub(super) const AT_ONCE: usize = 16;

/// A method, a place in a repository, and the actions of which the method needs one.
pub(super) type Row = (&'static str, &'static str, &'static [&'static str]);

/// Every endpoint of repositories. That none is missing is checked where the program's own list of them can be seen: an endpoint without a row does
/// not compile in `gateway/src/http/tests/access/matrix.rs`.
pub(super) const TABLE: [Row; 19] = [
    ("GET", "tags/list", &["read"]),
    ("HEAD", "tags/list", &["read"]),
    ("GET", "referrers/DIGEST", &["read"]),
    ("GET", "manifests/v1", &["read"]),
    ("HEAD", "manifests/DIGEST", &["read"]),
    ("PUT", "manifests/v1", &["create", "update"]),
    ("PUT", "manifests/DIGEST?tag=v1", &["create", "update"]),
    ("DELETE", "manifests/v1", &["delete"]),
    ("DELETE", "manifests/DIGEST", &["delete"]),
    ("GET", "blobs/DIGEST", &["read"]),
    ("HEAD", "blobs/DIGEST", &["read"]),
    ("DELETE", "blobs/DIGEST", &["delete"]),
    ("POST", "blobs/uploads/", &["create"]),
    ("POST", "blobs/uploads/?mount=DIGEST&from=alice-15/a", &["create"]),
    ("POST", "blobs/uploads/?digest=DIGEST", &["create"]),
    ("GET", "blobs/uploads/c0ffee00-0000-4000-8000-000000000000", &["create"]),
    ("PATCH", "blobs/uploads/c0ffee00-0000-4000-8000-000000000000", &["create"]),
    ("PUT", "blobs/uploads/c0ffee00-0000-4000-8000-000000000000?digest=DIGEST", &["create"]),
    ("DELETE", "blobs/uploads/c0ffee00-0000-4000-8000-000000000000", &["create"]),
];

/// `secret`, for everybody.
const HASH: &str = "$5$rounds=1000$zot$WjhuZhOEIDC4zC9.QyLViieq3Eb2V1lq0UJDEOCKEH0";

/// The file of users, for as long as this process lives.
pub(super) static PASSWORDS: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("htpasswd");
    let lines: String = PEOPLE[1..].iter().map(|name| format!("{name}:{HASH}\n")).collect();
    std::fs::write(&file, lines).expect("write the file of users");
    (directory, file)
});

fn granted(bits: usize) -> Vec<&'static str> {
    ACTIONS.into_iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0).map(|(_, action)| action).collect()
}

/// A repository for each holder and each set of actions.
fn rules() -> Value {
    let mut repositories = Map::new();
    for holder in HOLDERS {
        for bits in SETS {
            let actions = granted(bits);
            let rules = match holder {
                "alice" => json!({ "policies": [{ "users": ["alice"], "actions": actions }] }),
                "dev" => json!({ "policies": [{ "groups": ["dev"], "actions": actions }] }),
                "known" => json!({ "defaultPolicy": actions }),
                _ => json!({ "anonymousPolicy": actions }),
            };
            repositories.insert(format!("{holder}-{bits}/**"), rules);
        }
    }
    json!({
        "repositories": repositories,
        "groups": { "dev": { "users": ["bob"] } },
        "adminPolicy": { "users": ["root"], "actions": ["read", "delete"] },
    })
}

fn settings(settings: Settings) -> Settings {
    settings.set("/http/auth/htpasswd/path", PASSWORDS.1.to_str().expect("a readable path")).set("/http/accessControl", rules()).shared()
}

/// What the model says.
fn may(who: &str, holder: &str, bits: usize, action: &str) -> bool {
    let held = match holder {
        "alice" => who == "alice",
        "dev" => who == "bob",
        "known" => who != "nobody",
        _ => who == "nobody",
    };
    held && granted(bits).contains(&action) || who == "root" && ["read", "delete"].contains(&action)
}

async fn call(client: &Client, who: &str, method: &str, path: &str) -> Reply {
    let call = client.request(method.parse::<Method>().expect("a method"), path);
    match who {
        "nobody" => call.await,
        name => call.basic(name, "secret").await,
    }
}

/// Whether a reply says that one may not, and how.
pub(super) fn refused(reply: &Reply) -> Option<u16> {
    Some(reply.status.as_u16()).filter(|status| matches!(status, 401 | 403))
}

/// The path of a place of [`TABLE`] in a repository.
pub(super) fn path(repository: &str, place: &str) -> String {
    format!("/v2/{repository}/{}", place.replace("DIGEST", DIGEST))
}

async fn check(client: &Client, (holder, bits, who): (&str, usize, &str), (method, place, needs): Row) {
    let path = path(&format!("{holder}-{bits}/a"), place);
    let reply = call(client, who, method, &path).await;
    let allowed = needs.iter().any(|action| may(who, holder, bits, action));
    let expected = (!allowed).then_some(if who == "nobody" { 401 } else { 403 });
    assert_eq!(refused(&reply), expected, "{method} {path} by {who}: {} {}", reply.status, reply.text());
    assert_eq!(reply.header("www-authenticate").is_empty(), expected != Some(401), "{method} {path} by {who}");
}

in_both_shapes!(everybody_gets_through_where_the_rules_say, settings, |registry| async move {
    let client = registry.client();
    let rules = HOLDERS.into_iter().flat_map(|holder| SETS.map(|bits| (holder, bits)));
    let cases = rules.flat_map(|(holder, bits)| PEOPLE.map(|who| (holder, bits, who))).flat_map(|case| TABLE.map(|row| (case, row)));
    stream::iter(cases).for_each_concurrent(AT_ONCE, |(case, row)| check(&client, case, row)).await;
});

in_both_shapes!(of_many_who_may_only_make_a_tag_one_does, settings, |registry| async move {
    let client = registry.client();
    // The bits of `create` alone.
    let path = "/v2/alice-2/a/manifests/latest";
    let pushes = (0..64).map(|number| {
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [],
            "annotations": { "number": number.to_string() },
        });
        let call = client.put(path).basic("alice", "secret");
        async move { call.header("content-type", "application/vnd.oci.image.index.v1+json").body(index.to_string()).await.status }
    });
    let statuses = futures::future::join_all(pushes).await;
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 403).count(), 63, "{statuses:?}");
});

in_both_shapes!(what_is_elsewhere_is_told_to_nobody_who_may_not_read_it, settings, |registry| async move {
    let client = registry.client();
    let as_user = |name: &'static str, method: &'static str, path: String| {
        let client = client.clone();
        async move { call(&client, name, method, &path).await }
    };
    let bytes = b"what is in a repository of the group";
    let digest = zot_tests::content::digest_of(bytes);
    let push = client.post(&format!("/v2/dev-15/a/blobs/uploads/?digest={digest}")).basic("bob", "secret");
    push.body(bytes.to_vec()).await.expect(201);
    as_user("bob", "GET", format!("/v2/dev-15/a/blobs/{digest}")).await.expect(200);
    as_user("alice", "HEAD", format!("/v2/dev-15/a/blobs/{digest}")).await.expect(403);
    as_user("alice", "GET", format!("/v2/alice-15/a/blobs/{digest}")).await.expect(404);
    let range = client.get(&format!("/v2/alice-15/a/blobs/{digest}")).basic("alice", "secret");
    range.header("range", "bytes=0-1").await.expect(404);
    for from in ["", "&from=dev-15/a"] {
        as_user("alice", "POST", format!("/v2/alice-15/a/blobs/uploads/?mount={digest}{from}")).await.expect(202);
    }
    let upload = as_user("alice", "POST", "/v2/known-15/a/blobs/uploads/".to_owned()).await.expect(202).location();
    for method in ["GET", "PATCH", "DELETE"] {
        as_user("bob", method, upload.clone()).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    }
    as_user("alice", "DELETE", upload).await.expect(204);
});
