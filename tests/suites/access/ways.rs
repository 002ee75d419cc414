//! Every way of proving who one is, at every endpoint of repositories: it opens what its user may do, no more than it was made for, and nothing if it
//! is not what it pretends to be.

use std::sync::LazyLock;

use futures::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use zot_services::{Redis, token_service::TokenService};
use zot_tests::{
    Client, Registry, Reply,
    client::Call,
    shapes::{Settings, Shape},
    skip::skip,
};

use super::matrix::{AT_ONCE, PASSWORDS, Row, TABLE, path, refused};

const ALL: &[&str] = &["read", "create", "update", "delete"];
/// The header by which the registry's own pages are known.
const PAGES: (&str, &str) = ("x-zot-api-client", "zot-ui");

static SERVICE: LazyLock<TokenService> = LazyLock::new(TokenService::start);
/// A service that the registry does not believe.
static STRANGER: LazyLock<TokenService> = LazyLock::new(TokenService::start);

/// What alice shows, what it is good for in her own repository, and with what it is refused elsewhere.
struct Way {
    name: &'static str,
    headers: Vec<(&'static str, String)>,
    opens: &'static [&'static str],
    refusal: u16,
}

impl Way {
    fn new(name: &'static str, headers: Vec<(&'static str, String)>, opens: &'static [&'static str], refusal: u16) -> Self {
        Self { name, headers, opens, refusal }
    }

    fn showing<'c>(&self, call: Call<'c>) -> Call<'c> {
        self.headers.iter().fold(call, |call, (name, value)| call.header(*name, value))
    }

    async fn check(&self, client: &Client, repository: &str, (method, place, needs): Row) {
        let path = path(repository, place);
        let reply = self.showing(client.request(method.parse().unwrap(), &path)).await;
        let allowed = repository == "own/a" && needs.iter().any(|action| self.opens.contains(action));
        assert_eq!(refused(&reply), (!allowed).then_some(self.refusal), "{}: {method} {path}: {}", self.name, reply.text());
    }
}

/// Runs a test in both shapes, with sessions in a Redis of its own, and users of a file who may make keys.
async fn in_each(name: &str, test: impl AsyncFn(&Registry)) {
    if let Err(reason) = Redis::available() {
        return skip(name, &reason);
    }
    let redis = Redis::start().await;
    let rules = json!({"repositories": {"own/**": {"policies": [{"users": ["alice"], "actions": ALL}]}, "**": {}}});
    for shape in [Shape::AllInOne, Shape::Cluster] {
        let settings = Settings::default()
            .set("/http/auth/htpasswd/path", PASSWORDS.1.to_str().unwrap())
            .set("/http/auth/apikey", true)
            .set("/http/auth/bearer", SERVICE.section())
            .set("/http/auth/sessionDriver", json!({"name": "redis", "url": redis.url(), "keyprefix": format!("{shape:?}")}))
            .set("/http/accessControl", rules.clone());
        test(&shape.start(settings).await).await;
    }
}

/// Logs in on the pages, and gives the cookies.
async fn log_in(client: &Client, user: &str) -> Vec<String> {
    let reply = client.get("/v2/").basic(user, "secret").header(PAGES.0, PAGES.1).await.expect(200);
    let cookies: Vec<String> = reply.all("set-cookie").iter().map(|cookie| cookie.split(';').next().unwrap().to_owned()).collect();
    assert_eq!(cookies.len(), 2, "{reply:?}");
    cookies
}

fn from_elsewhere<'c>(call: Call<'c>, cookie: &str, origin: &str) -> Call<'c> {
    call.header("cookie", cookie).header("origin", origin)
}

async fn key(client: &Client, wish: Value) -> String {
    let made = client.post("/zot/auth/apikey").basic("alice", "secret").body(wish.to_string()).await.expect(201);
    made.json()["apiKey"].as_str().unwrap().to_owned()
}

fn basic(password: &str) -> Vec<(&'static str, String)> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    vec![("authorization", format!("Basic {}", STANDARD.encode(format!("alice:{password}"))))]
}

fn bearer(token: &str) -> Vec<(&'static str, String)> {
    vec![("authorization", format!("Bearer {token}"))]
}

fn with_pages(cookies: &str) -> Vec<(&'static str, String)> {
    vec![("cookie", cookies.to_owned()), (PAGES.0, PAGES.1.to_owned())]
}

async fn good(client: &Client) -> Vec<Way> {
    let (whole, narrow) = (key(client, json!({})).await, key(client, json!({"scopes": ["own/**:read"]})).await);
    let cookies = log_in(client, "alice").await.join("; ");
    vec![
        Way::new("a password", basic("secret"), ALL, 403),
        Way::new("a key", basic(&whole), ALL, 403),
        Way::new("a key with a scope", basic(&narrow), &["read"], 403),
        Way::new("a session", with_pages(&cookies), ALL, 403),
        // Whoever issues tokens has decided: a client that may do less is told what to ask for.
        Way::new("a token to pull", bearer(&SERVICE.issue("own/a", &["pull"])), &["read"], 401),
        Way::new("a token to push", bearer(&SERVICE.issue("own/a", &["pull", "push"])), &["read", "create", "update"], 401),
        Way::new("a token for elsewhere", bearer(&SERVICE.issue("own/b", &["pull", "push", "delete"])), &[], 401),
    ]
}

async fn bad(client: &Client) -> Vec<Way> {
    let key = key(client, json!({})).await;
    let mut other = key.clone();
    let last = if other.pop() == Some('0') { '1' } else { '0' };
    other.push(last);
    let cookies = log_in(client, "alice").await.join("; ");
    let headers = vec![
        ("nothing", vec![]),
        ("a wrong password", basic("wrong")),
        ("no password", basic("")),
        ("no credentials at all", vec![("authorization", "Basic !".to_owned())]),
        ("a key that nobody made", basic(&other)),
        ("a key that is no token", bearer(&key)),
        ("a password that is no token", bearer("secret")),
        ("a token of somebody else", bearer(&STRANGER.issue("own/a", &["pull", "push", "delete"]))),
        ("a token that is no password", basic(&SERVICE.issue("own/a", &["pull", "push", "delete"]))),
        ("a session that nobody began", with_pages(&format!("session={}; user=alice", "A".repeat(43)))),
        // What a page of another origin can make a browser send.
        ("a session without the header of the pages", vec![("cookie", cookies)]),
    ];
    headers.into_iter().map(|(name, headers)| Way::new(name, headers, &[], 401)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_opens_what_it_is_for_and_nothing_else() {
    in_each("access::ways::each_way_opens_what_it_is_for_and_nothing_else", async |registry| {
        let client = registry.client();
        let mut ways = good(&client).await;
        ways.extend(bad(&client).await);
        let cases = ways.iter().flat_map(|way| ["own/a", "foreign/a"].map(|repository| (way, repository)));
        let cases = cases.flat_map(|(way, repository)| TABLE.map(|row| (way, repository, row)));
        stream::iter(cases).for_each_concurrent(AT_ONCE, |(way, repository, row)| way.check(&client, repository, row)).await;
        for way in &ways {
            let open = way.showing(client.get("/livez")).await;
            assert_eq!(open.status, 200, "{}: nobody is asked who they are there", way.name);
            let bad = way.opens.is_empty() && way.name != "a token for elsewhere";
            for path in ["/v2/", "/v2/_catalog"].into_iter().filter(|_| bad) {
                way.showing(client.get(path)).await.expect_error(401, "UNAUTHORIZED");
            }
            let manages = way.showing(client.get("/zot/auth/apikey")).await;
            let expected = match way.name {
                "a password" | "a session" => 200,
                _ if bad => 401,
                _ => 403,
            };
            assert_eq!(manages.status, expected, "{}: {}", way.name, manages.text());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_the_users_whose_it_is_at_every_gateway() {
    const PLACE: &str = "/v2/own/a/tags/list";
    in_each("access::ways::a_session_is_the_users_whose_it_is_at_every_gateway", async |registry| {
        let ask =
            async |client: &Client, cookies: &str| -> Reply { client.get(PLACE).header("cookie", cookies).header(PAGES.0, PAGES.1).await };
        for begun in registry.gateways() {
            let (alice, bob) = (log_in(&begun, "alice").await, log_in(&begun, "bob").await);
            for gateway in registry.gateways() {
                ask(&gateway, &alice.join("; ")).await.expect_error(404, "NAME_UNKNOWN");
                ask(&gateway, &bob.join("; ")).await.expect_error(403, "DENIED");
                // The second cookie is for the pages to show, and says nothing to us.
                ask(&gateway, &format!("{}; user=alice", bob[0])).await.expect_error(403, "DENIED");
                ask(&gateway, "user=alice").await.expect_error(401, "UNAUTHORIZED");
                // Which of two the registry set cannot be told.
                ask(&gateway, &format!("{}; {}", alice[0], bob[0])).await.expect_error(401, "UNAUTHORIZED");
            }
            // Pages of another origin can make a browser send the cookie, but not the header.
            let cookie = alice.join("; ");
            for origin in ["https://evil.example", "null"] {
                from_elsewhere(begun.post("/zot/auth/apikey").body("{}"), &cookie, origin).await.expect_error(401, "UNAUTHORIZED");
                from_elsewhere(begun.delete("/zot/auth/apikey?id=x"), &cookie, origin).await.expect_error(401, "UNAUTHORIZED");
                from_elsewhere(begun.post("/zot/auth/logout"), &cookie, origin).await.expect_error(403, "DENIED");
                from_elsewhere(begun.post("/v2/own/a/blobs/uploads/"), &cookie, origin).await.expect_error(401, "UNAUTHORIZED");
            }
            ask(&begun, &cookie).await.expect_error(404, "NAME_UNKNOWN");
            // A session that was planted in alice's browser is not the one that she has after her login, and is over.
            let planted = log_in(&begun, "bob").await.remove(0);
            let call = begun.get("/v2/").basic("alice", "secret").header("cookie", &planted).header(PAGES.0, PAGES.1);
            let fresh = call.await.expect(200).header("set-cookie").split(';').next().unwrap().to_owned();
            assert_ne!(fresh, planted);
            for gateway in registry.gateways() {
                ask(&gateway, &planted).await.expect_error(401, "UNAUTHORIZED");
                ask(&gateway, &fresh).await.expect_error(404, "NAME_UNKNOWN");
            }
        }
    })
    .await;
}
