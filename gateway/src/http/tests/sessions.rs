//! Sessions and logins at the edge: which requests make, use and end a session, and what a browser is told.

use std::sync::Arc;

use axum::body::Body;
use zot_auth::{
    Access, Method,
    accounts::Accounts,
    authn::{Authenticators, PasswordSource, Proof, Verdict},
    sessions::{LoginMethod, MemoryStore, Session, SessionStore, Sessions, StoreError, StoreKey},
};
use zot_config::Secret;
use zot_contract::{MemoryRegistry, Registry, Subject};

use crate::sandbox::{Answers, Recording, Reply, Sandbox, Setup};

/// `alice:secret` and `alice:wrong`
const ALICE: (&str, &str) = ("authorization", "Basic YWxpY2U6c2VjcmV0");
const WRONG: (&str, &str) = ("authorization", "Basic YWxpY2U6d3Jvbmc=");
const PAGES: (&str, &str) = ("x-zot-api-client", "zot-ui");
const LOGOUT: &str = "/zot/auth/logout";

/// Knows alice.
#[derive(Debug)]
struct Alice;

#[async_trait::async_trait]
impl PasswordSource for Alice {
    async fn check(&self, user: &str, password: &Secret) -> Verdict {
        if (user, password.reveal()) == ("alice", "secret") {
            Verdict::Proved(Proof::of_user(user, Method::Htpasswd))
        } else {
            Verdict::Wrong
        }
    }
}

/// A store that cannot be reached.
#[derive(Debug)]
struct Away;

#[async_trait::async_trait]
impl SessionStore for Away {
    async fn create(&self, _: &StoreKey, _: &[u8], _: std::time::Duration) -> Result<(), StoreError> {
        Err(StoreError::new("keep a session", "connection refused"))
    }

    async fn find(&self, _: &StoreKey) -> Result<Option<Vec<u8>>, StoreError> {
        Err(StoreError::new("find a session", "connection refused"))
    }

    async fn remove(&self, _: &StoreKey) -> Result<Option<Vec<u8>>, StoreError> {
        Err(StoreError::new("remove a session", "connection refused"))
    }
}

struct Edge {
    sandbox: Sandbox,
    recording: Arc<Recording>,
    sessions: Arc<Sessions>,
}

impl Edge {
    async fn start() -> Self {
        Self::over(Arc::new(MemoryStore::new(100)), Answers::Given).await
    }

    /// Over a store of sessions, and records of users that may be out of reach.
    async fn over(store: Arc<dyn SessionStore>, users: Answers) -> Self {
        let recording = Arc::new(Recording::new(Arc::new(MemoryRegistry::default()), Answers::Given));
        let registry: Arc<dyn Registry> = Arc::<Recording>::clone(&recording);
        let accounts = Arc::new(Accounts::new(Arc::new(Recording::new(Arc::new(MemoryRegistry::default()), users))));
        let sessions = Arc::new(Sessions::new(store, None, false).marked_in(accounts));
        let authenticators =
            Authenticators { passwords: vec![Box::new(Alice)], sessions: Some(Arc::clone(&sessions)), ..Authenticators::default() };
        let sandbox = Sandbox::with(Setup { registry, access: Access::new(authenticators), ..Setup::default() }).await;
        Self { sandbox, recording, sessions }
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
        let request = headers.iter().fold(self.sandbox.request(method, path), |request, (name, value)| request.header(*name, *value));
        self.sandbox.send(request.body(Body::empty()).unwrap()).await
    }

    /// Whom the registry was last asked by.
    async fn asked_by(&self, headers: &[(&str, &str)]) -> (Reply, Option<Subject>) {
        let reply = self.send("GET", "/v2/a/tags/list", headers).await;
        let asked = self.recording.calls.lock().drain(..).next_back().map(|cx| cx.subject);
        (reply, asked)
    }
}

/// The cookies that a reply sets, as a browser sends them.
fn cookies(reply: &Reply) -> String {
    let set = reply.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap());
    set.collect::<Vec<_>>().join("; ")
}

fn alice() -> Option<Subject> {
    Some(Subject::User("alice".into()))
}

#[tokio::test]
async fn a_password_on_the_registrys_pages_makes_a_session_and_nowhere_else() {
    let edge = Edge::start().await;
    let reply = edge.send("GET", "/v2/", &[ALICE]).await;
    assert_eq!((reply.status, cookies(&reply).as_str()), (200, ""));
    let reply = edge.send("GET", "/v2/", &[WRONG, PAGES]).await;
    assert_eq!((reply.status, cookies(&reply).as_str()), (401, ""));

    let (reply, asked) = edge.asked_by(&[ALICE, PAGES]).await;
    assert_eq!(asked, alice());
    let cookies = cookies(&reply);
    assert!(cookies.starts_with("session=") && cookies.ends_with("; user=alice"), "{cookies}");
    assert_eq!(edge.asked_by(&[("cookie", &cookies), PAGES]).await.1, alice());
}

#[tokio::test]
async fn a_session_counts_only_with_the_header_of_the_pages() {
    let edge = Edge::start().await;
    let cookies = cookies(&edge.send("GET", "/v2/", &[ALICE, PAGES]).await);
    for (headers, method, path) in [
        (vec![("cookie", cookies.as_str())], "DELETE", "/v2/a/manifests/latest"),
        (vec![("cookie", cookies.as_str()), ("x-zot-api-client", "other")], "POST", "/v2/a/blobs/uploads/"),
        (vec![("cookie", cookies.as_str()), ("origin", "https://evil.example")], "PUT", "/v2/a/manifests/latest"),
    ] {
        edge.send(method, path, &headers).await;
        let asked: Vec<_> = edge.recording.calls.lock().drain(..).map(|cx| cx.subject).collect();
        assert!(!asked.contains(&alice().unwrap()), "{method} {path}: {asked:?}");
    }
}

#[tokio::test]
async fn a_session_that_leads_nowhere_is_nobody_and_is_forgotten() {
    let edge = Edge::start().await;
    let (reply, asked) = edge.asked_by(&[("cookie", "session=made-up"), PAGES]).await;
    assert!(asked.is_none_or(|subject| subject == Subject::Anonymous));
    let forgotten: Vec<_> = reply.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap()).collect();
    assert!(forgotten[0].starts_with("session=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970"), "{forgotten:?}");
    let (reply, _) = edge.asked_by(&[("cookie", "session=made-up")]).await;
    assert_eq!(cookies(&reply), "", "other clients are told nothing");
}

#[tokio::test]
async fn logging_out_ends_the_session_and_needs_the_header_of_the_pages() {
    let edge = Edge::start().await;
    let cookies = cookies(&edge.send("GET", "/v2/", &[ALICE, PAGES]).await);
    let browser = ("cookie", cookies.as_str());
    for headers in [&[browser][..], &[browser, ("origin", "https://evil.example")], &[browser, ("origin", "null")]] {
        assert_eq!(edge.send("POST", LOGOUT, headers).await.refusal(), (403, "DENIED".to_owned()), "{headers:?}");
    }
    assert_eq!(edge.send("GET", LOGOUT, &[browser, PAGES]).await.status, 405);
    assert_eq!(edge.asked_by(&[browser, PAGES]).await.1, alice(), "it still lasts");

    for _ in 0..2 {
        let reply = edge.send("POST", LOGOUT, &[browser, PAGES]).await;
        assert_eq!((reply.status, &reply.body[..]), (200, &b"{}"[..]));
        assert!(cookies_forgotten(&reply), "{reply:?}");
        let (_, asked) = edge.asked_by(&[browser, PAGES]).await;
        assert_ne!(asked, alice());
    }
    let reply = edge.send("POST", LOGOUT, &[browser, PAGES, ALICE]).await;
    assert!(cookies_forgotten(&reply) && reply.headers.get_all("set-cookie").iter().count() == 2, "{reply:?}");
}

fn cookies_forgotten(reply: &Reply) -> bool {
    reply.headers.get_all("set-cookie").iter().all(|cookie| cookie.to_str().unwrap().contains("Max-Age=0"))
}

#[tokio::test]
async fn a_store_that_is_away_stops_sessions_only() {
    let edge = Edge::over(Arc::new(Away), Answers::Given).await;
    let browser = ("cookie", format!("session={}", "a".repeat(43)));
    let reply = edge.send("GET", "/v2/", &[(browser.0, &browser.1), PAGES]).await;
    assert_eq!(reply.refusal(), (503, "UNAVAILABLE".to_owned()));
    assert!(!reply.header("retry-after").is_empty());
    assert_eq!(edge.send("POST", LOGOUT, &[(browser.0, &browser.1), PAGES]).await.status, 503);
    for headers in [&[ALICE][..], &[ALICE, PAGES]] {
        let (reply, asked) = edge.asked_by(headers).await;
        assert_eq!((asked, cookies(&reply).as_str()), (alice(), ""), "{headers:?}");
    }
}

#[tokio::test]
async fn somebody_who_logs_in_as_another_leaves_the_session_behind() {
    let edge = Edge::start().await;
    let bob = Session::new("bob", Vec::new(), LoginMethod::Htpasswd, None);
    let set = edge.sessions.begin(&axum::http::HeaderMap::new(), &bob).await.unwrap();
    let planted = set[0].to_str().unwrap().split(';').next().unwrap().to_owned();
    let reply = edge.send("GET", "/v2/", &[("cookie", &planted), PAGES, ALICE]).await;
    assert!(cookies(&reply).ends_with("user=alice") && !cookies(&reply).contains(&planted), "{reply:?}");
    let (_, asked) = edge.asked_by(&[("cookie", &planted), PAGES]).await;
    assert_ne!(asked, Some(Subject::User("bob".into())), "the session before has ended");
}

#[tokio::test]
async fn a_login_that_comes_to_nothing_is_a_page_without_programs() {
    let edge = Edge::start().await;
    for path in ["/zot/auth/login?provider=%3Cscript%3E", "/zot/auth/login", "/zot/auth/callback/oidc?state=a&code=b"] {
        let reply = edge.send("GET", path, &[]).await;
        assert_eq!(reply.status, 400, "{path}");
        assert_eq!(reply.header("content-type"), "text/html; charset=utf-8");
        assert!(reply.header("content-security-policy").starts_with("default-src 'none'"));
        assert_eq!((reply.header("cache-control"), reply.header("x-content-type-options")), ("no-store", "nosniff"));
        assert!(!String::from_utf8_lossy(&reply.body).contains("<script"), "{path}");
    }
    for method in ["HEAD", "POST", "PUT"] {
        assert_eq!(edge.send(method, "/zot/auth/login?provider=oidc", &[]).await.status, 405, "{method}");
        assert_eq!(edge.send(method, "/zot/auth/callback/oidc", &[]).await.status, 405, "{method}");
    }
}

#[tokio::test]
async fn logging_out_everywhere_ends_all_sessions_of_the_user_and_needs_one() {
    let edge = Edge::start().await;
    let [one, other] = [edge.send("GET", "/v2/", &[ALICE, PAGES]).await, edge.send("GET", "/v2/", &[ALICE, PAGES]).await];
    let [one, other] = [cookies(&one), cookies(&other)];
    let everywhere = format!("{LOGOUT}?everywhere=true");
    assert_eq!(edge.send("POST", &everywhere, &[("cookie", &one)]).await.refusal(), (403, "DENIED".to_owned()), "from another origin");
    for (query, code) in [("everywhere=yes", "UNSUPPORTED"), ("everywhere=true&everywhere=true", "UNSUPPORTED")] {
        let reply = edge.send("POST", &format!("{LOGOUT}?{query}"), &[("cookie", &one), PAGES]).await;
        assert_eq!(reply.refusal(), (400, code.to_owned()), "{query}");
    }
    // Whose sessions would end must be known: a password tells as little as nothing.
    for headers in [&[PAGES][..], &[PAGES, ALICE], &[PAGES, ("cookie", "session=made-up")]] {
        assert_eq!(edge.send("POST", &everywhere, headers).await.refusal(), (401, "UNAUTHORIZED".to_owned()), "{headers:?}");
    }
    let reply = edge.send("POST", &everywhere, &[("cookie", &one), PAGES]).await;
    assert_eq!((reply.status, &reply.body[..]), (200, &b"{}"[..]));
    assert!(cookies_forgotten(&reply), "{reply:?}");
    for ended in [&one, &other] {
        assert_ne!(edge.asked_by(&[("cookie", ended), PAGES]).await.1, alice());
    }
    let again = cookies(&edge.send("GET", "/v2/", &[ALICE, PAGES, ("cookie", &other)]).await);
    assert_eq!(edge.asked_by(&[("cookie", &again), PAGES]).await.1, alice());
}

#[tokio::test]
async fn records_of_users_that_are_away_stop_sessions_only() {
    let store: Arc<dyn SessionStore> = Arc::new(MemoryStore::new(100));
    let session = Session::new("alice", Vec::new(), LoginMethod::Htpasswd, None);
    // Begun while the records could be asked.
    let set = Sessions::new(Arc::clone(&store), None, false).begin(&axum::http::HeaderMap::new(), &session).await.unwrap();
    let begun = set[0].to_str().unwrap().split(';').next().unwrap().to_owned();
    let edge = Edge::over(store, Answers::Refused).await;
    let browser = ("cookie", begun.as_str());
    for (method, path) in [("GET", "/v2/"), ("POST", "/zot/auth/logout?everywhere=true")] {
        let reply = edge.send(method, path, &[browser, PAGES]).await;
        assert_eq!(reply.refusal(), (503, "UNAVAILABLE".to_owned()), "whether it goes on cannot be told: {method}");
    }
    assert_eq!(edge.send("GET", "/v2/", &[browser]).await.status, 401, "nothing is asked about a session that does not count");
    for headers in [&[ALICE][..], &[ALICE, PAGES]] {
        let (reply, asked) = edge.asked_by(headers).await;
        assert_eq!((asked, cookies(&reply).as_str()), (alice(), ""), "{headers:?}");
    }
    assert_eq!(edge.send("POST", LOGOUT, &[browser, PAGES]).await.status, 200, "it can still be ended");
}
