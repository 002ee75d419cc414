//! The two halves of a login, at a party that believes everything: what is about the registry's own part.

mod github;

use std::time::Duration;

use http::header::COOKIE;
use parking_lot::Mutex;
use zot_contract::{BoxError, MemoryRegistry};

use super::{error::Failure, provider::User, *};
use crate::sessions::{Found, MemoryStore, SessionStore, StoreError, StoreKey};

const OWN: &str = "https://registry.example.org";

/// Lets everybody in whose proof key fits the challenge that was asked with, and remembers what it was asked.
#[derive(Debug, Default)]
struct Trusting {
    asked: Mutex<Vec<(String, String)>>,
    away: bool,
}

#[async_trait::async_trait]
impl Provider for Arc<Trusting> {
    async fn authorize(&self, asking: Asking) -> Result<Url, Failure> {
        if self.away {
            return Err(Failure::unavailable("connection refused"));
        }
        self.asked.lock().push((asking.nonce.secret().clone(), asking.challenge.as_str().to_owned()));
        let mut url = Url::parse("https://idp.example.org/authorize").unwrap();
        url.query_pairs_mut().append_pair("state", &asking.state).append_pair("redirect_uri", &asking.redirect);
        Ok(url)
    }

    async fn user(&self, answer: Answer) -> Result<User, Failure> {
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&answer.verifier);
        let asked = (answer.nonce.secret().clone(), challenge.as_str().to_owned());
        assert!(self.asked.lock().contains(&asked), "the nonce and the proof key are those of one login");
        let groups = answer.code.secret().split(',').skip(1).map(str::to_owned).collect();
        Ok(User { name: answer.code.secret().split(',').next().unwrap().to_owned(), groups })
    }

    async fn log_out(&self, back: &Url) -> Option<Url> {
        Some(Url::parse(&format!("https://idp.example.org/end?back={back}")).unwrap())
    }

    fn issuer(&self) -> Option<&str> {
        Some("https://idp.example.org")
    }
}

/// Two gateways share these.
struct Shared {
    logins: Arc<dyn SessionStore>,
    sessions: Arc<Sessions>,
    party: Arc<Trusting>,
}

impl Shared {
    fn new() -> Self {
        let sessions = Arc::new(Sessions::new(Arc::new(MemoryStore::new(100)), None, true));
        Self { logins: Arc::new(MemoryStore::new(100)), sessions, party: Arc::default() }
    }

    fn gateway(&self) -> Logins {
        let party = || Box::new(Arc::clone(&self.party)) as Box<dyn Provider>;
        Logins {
            providers: [("oidc".to_owned(), party()), ("gitlab".to_owned(), party())].into(),
            pending: PendingLogins::new(Arc::clone(&self.logins), true),
            sessions: Arc::clone(&self.sessions),
            destinations: Destinations::new(Url::parse(OWN).unwrap(), []),
            own: OWN.to_owned(),
            accounts: None,
        }
    }
}

/// What the browser brings back for a login that was begun, and the cookies it then sends.
fn browser(told: &Told) -> (String, HeaderMap) {
    let url = Url::parse(told.location.as_ref().unwrap()).unwrap();
    let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    (state, sending(&told.cookies))
}

fn sending(cookies: &[HeaderValue]) -> HeaderMap {
    let pairs: Vec<_> = cookies.iter().map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap()).collect();
    [(COOKIE, HeaderValue::from_str(&pairs.join("; ")).unwrap())].into_iter().collect()
}

async fn begin(logins: &Logins) -> (String, HeaderMap) {
    browser(&logins.begin(Some("provider=oidc&callback_ui=%2Fhome")).await.unwrap())
}

#[tokio::test]
async fn a_login_begun_on_one_gateway_ends_on_another_with_a_session() {
    let shared = Shared::new();
    let told = shared.gateway().begin(Some("provider=oidc&callback_ui=%2Fhome")).await.unwrap();
    let location = told.location.as_ref().unwrap();
    assert!(location.contains("redirect_uri=https%3A%2F%2Fregistry.example.org%2Fzot%2Fauth%2Fcallback%2Foidc"), "{location}");
    let cookie = told.cookies[0].to_str().unwrap();
    assert!(cookie.ends_with("; Path=/zot/auth/callback; Max-Age=600; HttpOnly; SameSite=Lax; Secure"), "{cookie}");

    let (state, headers) = browser(&told);
    let (session, told) = shared.gateway().end("oidc", Some(&format!("state={state}&code=alice,a,b")), &headers).await.unwrap();
    assert_eq!((session.user.as_str(), &session.groups[..]), ("alice", &["a".to_owned(), "b".to_owned()][..]));
    assert_eq!(told.location.as_deref(), Some("/home"));
    assert_eq!(shared.sessions.find(&sending(&told.cookies)).await.unwrap(), Found::Session(session));
}

#[tokio::test]
async fn without_a_destination_there_is_none_and_a_forbidden_one_is_the_start() {
    let shared = Shared::new();
    for (query, location) in
        [("", None), ("&callback_ui=", None), ("&callback_ui=//evil.example", Some("/")), ("&callback_ui=/%5cevil", Some("/"))]
    {
        let logins = shared.gateway();
        let (state, headers) = browser(&logins.begin(Some(&format!("provider=OIDC{query}"))).await.unwrap());
        let (_, told) = logins.end("oidc", Some(&format!("state={state}&code=alice")), &headers).await.unwrap();
        assert_eq!(told.location.as_deref(), location, "{query}");
    }
}

#[tokio::test]
async fn a_login_is_good_once() {
    let shared = Shared::new();
    let logins = shared.gateway();
    let (state, headers) = begin(&logins).await;
    let query = format!("state={state}&code=alice");
    let ends = (0..6).map(|_| logins.end("oidc", Some(&query), &headers));
    let ended = futures::future::join_all(ends).await;
    assert_eq!(ended.iter().filter(|ended| ended.is_ok()).count(), 1);
    assert!(ended.iter().filter_map(|ended| ended.as_ref().err()).all(|error| matches!(error, LoginError::Unknown)));
}

#[tokio::test]
async fn a_login_of_another_browser_is_not_known_and_goes_on_in_its_own() {
    let shared = Shared::new();
    let logins = shared.gateway();
    let (state, own) = begin(&logins).await;
    let (_, other) = begin(&logins).await;
    let name = own[COOKIE].to_str().unwrap().split('=').next().unwrap();
    let guessed = format!("{name}={}", "a".repeat(43));
    let guessed: HeaderMap = [(COOKIE, HeaderValue::from_str(&guessed).unwrap())].into_iter().collect();
    let query = format!("state={state}&code=attacker");
    for headers in [&HeaderMap::new(), &other, &guessed] {
        assert!(matches!(logins.end("oidc", Some(&query), headers).await, Err(LoginError::Unknown)), "{headers:?}");
    }
    assert!(matches!(logins.end("gitlab", Some(&query), &own).await, Err(LoginError::Unknown)), "it was begun elsewhere");
    assert!(logins.end("oidc", Some(&query), &own).await.is_ok());
}

#[tokio::test]
async fn what_does_not_belong_together_is_refused() {
    let shared = Shared::new();
    let logins = shared.gateway();
    let (state, headers) = begin(&logins).await;
    for query in [
        None,
        Some("code=alice".to_owned()),
        Some("state=&code=alice".to_owned()),
        Some(format!("state={}&code=alice", "A".repeat(43))),
        Some(format!("state={state}&state={state}&code=alice")),
    ] {
        assert!(matches!(logins.end("oidc", query.as_deref(), &headers).await, Err(LoginError::Unknown)), "{query:?}");
    }
    let elsewhere = format!("state={state}&code=alice&iss=https://other.example.org");
    assert!(matches!(logins.end("oidc", Some(&elsewhere), &headers).await, Err(LoginError::Untrusted { .. })));

    let (state, headers) = begin(&logins).await;
    let denied = logins.end("oidc", Some(&format!("state={state}&error=access_denied&error_description=no")), &headers).await;
    assert!(matches!(&denied, Err(LoginError::Denied { reason, .. }) if reason == "access_denied: no"), "{denied:?}");
    assert!(matches!(logins.begin(Some("provider=nobody")).await, Err(LoginError::ProviderUnknown)));
    assert!(matches!(logins.begin(None).await, Err(LoginError::ProviderUnknown)));
}

#[tokio::test]
async fn groups_are_those_of_the_last_login() {
    let shared = Shared::new();
    let accounts = Arc::new(Accounts::new(Arc::new(MemoryRegistry::default())));
    let logins = shared.gateway().noting(Arc::clone(&accounts));
    for groups in [&["a", "b"][..], &["a"], &[]] {
        let (state, headers) = begin(&logins).await;
        let code = ["alice"].iter().chain(groups).copied().collect::<Vec<_>>().join(",");
        let (session, told) = logins.end("oidc", Some(&format!("state={state}&code={code}")), &headers).await.unwrap();
        assert_eq!(session.groups, groups);
        let noted = accounts.find(&"alice".parse().unwrap()).await.unwrap().map(|record| record.groups.clone());
        assert_eq!(noted.unwrap_or_default(), groups, "API keys go by them");
        assert_eq!(shared.sessions.find(&sending(&told.cookies)).await.unwrap(), Found::Session(session));
    }
}

/// A store that cannot be reached.
#[derive(Debug)]
struct Away;

#[async_trait::async_trait]
impl SessionStore for Away {
    async fn create(&self, _: &StoreKey, _: &[u8], _: Duration) -> Result<(), StoreError> {
        Err(StoreError::new("keep a login", BoxError::from("connection refused")))
    }

    async fn find(&self, _: &StoreKey) -> Result<Option<Vec<u8>>, StoreError> {
        Err(StoreError::new("find a login", BoxError::from("connection refused")))
    }

    async fn remove(&self, _: &StoreKey) -> Result<Option<Vec<u8>>, StoreError> {
        Err(StoreError::new("remove a login", BoxError::from("connection refused")))
    }
}

#[tokio::test]
async fn what_is_away_is_no_wrong_login() {
    let shared = Shared { party: Arc::new(Trusting { away: true, ..Trusting::default() }), ..Shared::new() };
    assert!(matches!(shared.gateway().begin(Some("provider=oidc")).await, Err(LoginError::ProviderUnavailable { .. })));
    let shared = Shared::new();
    let (state, headers) = begin(&shared.gateway()).await;
    let without = Shared { logins: Arc::new(Away), ..shared };
    assert!(matches!(without.gateway().begin(Some("provider=oidc")).await, Err(LoginError::StoreUnavailable(_))));
    let ended = without.gateway().end("oidc", Some(&format!("state={state}&code=alice")), &headers).await;
    assert!(matches!(ended, Err(LoginError::StoreUnavailable(_))));
}

#[tokio::test]
async fn logging_out_leads_on_and_pages_of_other_origins_are_told_apart() {
    let logins = Shared::new().gateway();
    let place = logins.log_out("oidc").await.unwrap();
    assert_eq!(place, "https://idp.example.org/end?back=https://registry.example.org/login");
    assert_eq!(logins.log_out("nobody").await, None);
    assert!(logins.is_own("https://registry.example.org") && logins.is_own("https://registry.example.org:443"));
    for other in ["https://registry.example.org.evil.example", "http://registry.example.org", "null", ""] {
        assert!(!logins.is_own(other), "{other}");
    }
}
