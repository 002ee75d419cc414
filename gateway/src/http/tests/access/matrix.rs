//! Every endpoint × method × who × what they may do × whose repository it is, against a model that knows nothing of the program: a table of words, and
//! rules read over and over again. An endpoint that is not in the table fails the test, and one that has no word for it does not compile.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use zot_auth::authz::Action;

use super::{ACTIONS, Who, access, sandbox};
use crate::http::route::Route;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const UPLOAD: &str = "c0ffee00-0000-4000-8000-000000000000";
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];

/// An endpoint, a path of it, and its methods with what they ask for.
type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// What each method of each endpoint asks for; what is not listed, the endpoint does not have. `$` is a repository.
const TABLE: [Row; 18] = [
    ("base", "/v2/", &[("GET", "guest"), ("HEAD", "guest")]),
    ("discover", "/v2/_oci/ext/discover", &[("GET", "guest"), ("HEAD", "guest")]),
    ("catalog", "/v2/_catalog", &[("GET", "list"), ("HEAD", "list")]),
    ("tags", "/v2/$/tags/list", &[("GET", "read"), ("HEAD", "read")]),
    ("referrers", "/v2/$/referrers/DIGEST", &[("GET", "read"), ("HEAD", "read")]),
    ("manifest", "/v2/$/manifests/v1", &[("GET", "read"), ("HEAD", "read"), ("PUT", "create update"), ("DELETE", "delete")]),
    ("manifest", "/v2/$/manifests/DIGEST", &[("GET", "read"), ("HEAD", "read"), ("PUT", "create update"), ("DELETE", "delete")]),
    ("blob", "/v2/$/blobs/DIGEST", &[("GET", "read"), ("HEAD", "read"), ("DELETE", "delete")]),
    ("uploads", "/v2/$/blobs/uploads/", &[("POST", "create")]),
    (
        "upload",
        "/v2/$/blobs/uploads/UPLOAD",
        &[("GET", "create"), ("HEAD", "create"), ("PATCH", "create"), ("PUT", "create"), ("DELETE", "create")],
    ),
    ("login", "/zot/auth/login", &[("GET", "open")]),
    ("callback", "/zot/auth/callback/x", &[("GET", "open")]),
    ("logout", "/zot/auth/logout", &[("POST", "pages")]),
    ("apikeys", "/zot/auth/apikey", &[("GET", "known"), ("HEAD", "known"), ("POST", "known"), ("DELETE", "known")]),
    ("token", "/zot/auth/token", &[("GET", "open"), ("HEAD", "open"), ("POST", "open")]),
    ("live", "/livez", &[("GET", "open"), ("HEAD", "open")]),
    ("ready", "/readyz", &[("GET", "open"), ("HEAD", "open")]),
    ("started", "/startupz", &[("GET", "open"), ("HEAD", "open")]),
];

/// The word for an endpoint in the table.
fn word(route: &Route) -> &'static str {
    match route {
        Route::Base => "base",
        Route::Discover => "discover",
        Route::Catalog => "catalog",
        Route::Tags { .. } => "tags",
        Route::Referrers { .. } => "referrers",
        Route::Manifest { .. } => "manifest",
        Route::Blob { .. } => "blob",
        Route::Uploads { .. } => "uploads",
        Route::Upload { .. } => "upload",
        Route::Login => "login",
        Route::Callback { .. } => "callback",
        Route::Logout => "logout",
        Route::ApiKeys => "apikeys",
        Route::Token => "token",
        Route::Live => "live",
        Route::Ready => "ready",
        Route::Started => "started",
    }
}

const WORDS: usize = 17;

#[test]
fn every_endpoint_has_a_row_and_every_row_is_an_endpoint() {
    let mut words = BTreeSet::new();
    for (expected, path, methods) in TABLE {
        let route = Route::parse(&path_of(path, "own/a")).unwrap();
        assert_eq!(word(&route), expected, "{path}");
        words.insert(expected);
        for (method, _) in methods {
            assert!(route.allow().split(", ").any(|allowed| allowed == *method), "{method} {path}");
        }
        for allowed in route.allow().split(", ").filter(|allowed| *allowed != "OPTIONS") {
            assert!(methods.iter().any(|(method, _)| *method == allowed), "{allowed} {path} has no row");
        }
    }
    assert_eq!(words.len(), WORDS);
}

fn path_of(path: &str, repository: &str) -> String {
    path.replace('$', repository).replace("DIGEST", DIGEST).replace("UPLOAD", UPLOAD)
}

/// Rules that grant the same actions in one way.
struct Rules {
    written: Value,
    granted: Vec<Action>,
    /// To whom on `own/…`; an administrator has them everywhere.
    holder: &'static str,
}

fn rules() -> Vec<Rules> {
    let mut rules = Vec::new();
    for bits in SETS {
        let granted: Vec<Action> =
            ACTIONS.into_iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0).map(|(_, action)| action).collect();
        let words: Vec<&str> = granted.iter().map(|action| action.as_str()).collect();
        for holder in ["alice", "dev", "known", "nobody", "root"] {
            let own = match holder {
                "alice" => json!({ "policies": [{ "users": ["alice"], "actions": words }] }),
                "dev" => json!({ "policies": [{ "groups": ["dev"], "actions": words }] }),
                "known" => json!({ "defaultPolicy": words }),
                "nobody" => json!({ "anonymousPolicy": words }),
                _ => json!({}),
            };
            let mut written = json!({ "repositories": { "own/**": own, "**": {} }, "groups": { "dev": { "users": ["bob"] } } });
            if holder == "root" {
                written["adminPolicy"] = json!({ "users": ["root"], "actions": words });
            }
            rules.push(Rules { written, granted: granted.clone(), holder });
        }
    }
    rules
}

/// Sets of actions, a bit for each: none, each alone, all.
const SETS: [u8; 6] = [0, 1, 2, 4, 8, 15];

/// What the model says: whether somebody may.
fn may(rules: &Rules, who: Who, action: &str, repository: &str) -> bool {
    let own = repository.starts_with("own/");
    let granted = rules.granted.iter().any(|granted| granted.as_str() == action);
    let by_rules = granted
        && match (rules.holder, who.name()) {
            ("alice", Some("alice")) | ("dev", Some("bob")) | ("known", Some(_)) => own,
            ("nobody", None) => own && who == Who::Nobody,
            ("root", Some("root")) => true,
            _ => false,
        };
    match who {
        Who::Key(_, scope, scoped) => by_rules && scope.as_str() == action && scoped == repository,
        Who::Token(scope, scoped) => scope.as_str() == action && scoped == repository,
        Who::Nobody | Who::User(_) => by_rules,
        Who::Wrong => false,
    }
}

/// The status of a refusal, if the model refuses.
fn refused(rules: &Rules, who: Who, need: &str, repository: &str) -> Option<u16> {
    let anybody = rules.holder == "nobody" && !rules.granted.is_empty();
    let allowed = match need {
        "open" => return None,
        // Only the registry's own pages may, whoever asks; and these requests have no header that says they are.
        "pages" => return Some(403),
        _ if who == Who::Wrong => return Some(401),
        "guest" => who != Who::Nobody || anybody,
        "list" => (who != Who::Nobody || anybody) && !matches!(who, Who::Token(..)),
        "known" => who != Who::Nobody || rules.holder == "nobody" || rules.granted.is_empty(),
        actions => actions.split(' ').any(|action| may(rules, who, action, repository)),
    };
    let unproved = matches!(who, Who::Nobody | Who::Token(..));
    (!allowed).then_some(if unproved { 401 } else { 403 })
}

const PEOPLE: [Who; 9] = [
    Who::Nobody,
    Who::Wrong,
    Who::User("alice"),
    Who::User("bob"),
    Who::User("carol"),
    Who::User("root"),
    Who::Key("alice", Action::Read, "own/a"),
    Who::Key("root", Action::Create, "foreign/a"),
    Who::Token(Action::Delete, "own/a"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_may_do_what_the_table_and_the_rules_say() {
    let sandbox = sandbox(&json!({ "repositories": { "**": { "anonymousPolicy": ["read"] } } })).await;
    let mut asked = 0;
    for rules in rules() {
        sandbox.gateway.replace_access(access(&rules.written));
        for (_, path, methods) in TABLE {
            let repositories = if path.contains('$') { &["own/a", "foreign/a"][..] } else { &[""] };
            // Each set of actions in full; what no endpoint has is the same for all of them.
            let methods = methods.iter().copied().chain(rules.granted.is_empty().then(|| missing(methods)).into_iter().flatten());
            for (method, need) in methods {
                for repository in repositories {
                    for who in PEOPLE {
                        let path = path_of(path, repository);
                        let reply = sandbox.call_as(who, method, &path).await;
                        let expected = match need {
                            "none" if who == Who::Wrong && method != "OPTIONS" => Some(401),
                            "none" => None,
                            need => refused(&rules, who, need, repository),
                        };
                        let found = Some(reply.status).filter(|status| matches!(status, 401 | 403));
                        assert_eq!(found, expected, "{method} {path} by {who:?} where {} may {:?}", rules.holder, rules.granted);
                        assert_eq!(reply.header("www-authenticate").is_empty(), expected != Some(401), "{reply:?}");
                        assert!(need != "none" || expected.is_some() || matches!(reply.status, 204 | 405), "{method} {path}: {reply:?}");
                        asked += 1;
                    }
                }
            }
        }
    }
    assert!(asked > 10_000, "{asked} requests");
}

/// The methods that an endpoint does not have.
fn missing(methods: &'static [(&'static str, &'static str)]) -> impl Iterator<Item = (&'static str, &'static str)> {
    METHODS.into_iter().filter(|method| !methods.iter().any(|(found, _)| found == method)).map(|method| (method, "none"))
}
