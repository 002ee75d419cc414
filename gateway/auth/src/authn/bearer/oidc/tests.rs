//! Tokens of workloads, checked with keys that a small server hands out.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::{Value, json};
use zot_config::{
    Secret,
    http::auth::{Bearer, BearerOidc, ClaimMapping},
};
use zot_services::stall::unless_stalled;

use super::{
    super::{
        claims::now,
        tests::{Issuer, with, without},
    },
    IdentityTokens,
};
use crate::{
    Method, Rights,
    authn::{Proof, TokenSource, Verdict},
};

/// Less than the shortest time for which a provider is left alone.
const STALL: Duration = Duration::from_secs(1);

/// A provider that hands out a discovery document and keys.
struct Provider {
    url: String,
    served: Arc<Served>,
}

#[derive(Default)]
struct Served {
    discovery: Mutex<Value>,
    keys: Mutex<Value>,
    asked: AtomicUsize,
    broken: Mutex<bool>,
}

impl Provider {
    fn start(issuer: &Issuer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = Arc::new(Served::default());
        *served.discovery.lock() = json!({
            "issuer": url,
            "jwks_uri": format!("{url}/keys"),
            "id_token_signing_alg_values_supported": ["ES256", "none", "HS256"],
        });
        *served.keys.lock() = json!({"keys": [issuer.jwk("1")]});
        let answers = Arc::clone(&served);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answers.answer(stream);
            }
        });
        Self { url, served }
    }

    fn asked(&self) -> usize {
        self.served.asked.load(Ordering::SeqCst)
    }

    fn tokens(&self) -> IdentityTokens {
        self.tokens_with(|oidc| oidc)
    }

    fn tokens_with(&self, change: impl FnOnce(BearerOidc) -> BearerOidc) -> IdentityTokens {
        let oidc = BearerOidc { issuer: self.url.clone(), audiences: vec!["zot".to_owned()], ..BearerOidc::default() };
        IdentityTokens::open(&Bearer { oidc: vec![change(oidc)], ..Bearer::default() }).unwrap()
    }

    fn claims(&self) -> Value {
        json!({"iss": self.url, "sub": "job-7", "aud": ["other", "zot"], "exp": now() + 60.0, "iat": now(), "groups": ["ci"]})
    }
}

impl Served {
    fn answer(&self, mut stream: TcpStream) {
        let mut request = [0; 4096];
        let length = stream.read(&mut request).unwrap_or(0);
        let text = String::from_utf8_lossy(&request[..length]).to_string();
        self.asked.fetch_add(1, Ordering::SeqCst);
        let status = if *self.broken.lock() { "500 Broken" } else { "200 OK" };
        let body = if text.contains("/keys") { self.keys.lock().to_string() } else { self.discovery.lock().to_string() };
        let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    }
}

async fn proof(tokens: &IdentityTokens, token: &str) -> Option<Proof> {
    match tokens.check(&Secret::new(token)).await {
        Verdict::Proved(proof) => Some(proof),
        Verdict::Wrong => None,
        verdict @ Verdict::Unavailable { .. } => panic!("{verdict:?}"),
    }
}

async fn is_unavailable(tokens: &IdentityTokens, token: &str) -> bool {
    matches!(tokens.check(&Secret::new(token)).await, Verdict::Unavailable { .. })
}

fn token(issuer: &Issuer, id: &str, claims: &Value) -> String {
    issuer.token(&json!({"alg": "ES256", "kid": id}), claims)
}

/// Lets time pass for whoever waits before they ask again.
async fn later(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_workload_is_who_its_provider_says() {
    let issuer = Issuer::elliptic();
    let provider = Provider::start(&issuer);
    let mapping =
        ClaimMapping { username: "'ci/' + claims.sub".to_owned(), groups: Some("claims.groups".to_owned()), ..ClaimMapping::default() };
    let tokens = provider.tokens_with(|oidc| BearerOidc { claim_mapping: mapping, ..oidc });
    assert_eq!(provider.asked(), 0, "nobody is asked before a token comes");
    let proof = proof(&tokens, &token(&issuer, "1", &provider.claims())).await.unwrap();
    assert_eq!((proof.user.as_deref(), proof.method), (Some("ci/job-7"), Method::IdentityToken));
    assert_eq!(proof.groups, [Arc::<str>::from("ci")]);
    assert!(matches!(proof.rights, Rights::OfUser));
    assert_eq!(proof.claims.unwrap()["sub"], "job-7");
    assert_eq!(provider.asked(), 2, "one document, one set of keys");
}

#[tokio::test]
async fn tokens_of_others_for_others_and_of_other_times_are_refused() {
    let issuer = Issuer::elliptic();
    let provider = Provider::start(&issuer);
    let tokens = provider.tokens();
    let good = provider.claims();
    assert!(proof(&tokens, &token(&issuer, "1", &good)).await.is_some());
    for (name, value) in [
        ("aud", json!("other")),
        ("aud", json!([])),
        ("iss", json!("https://other.example.com")),
        ("iss", json!(format!("{}/", provider.url))),
        ("exp", json!(now() - 60.0)),
        ("nbf", json!(now() + 60.0)),
        ("iat", json!(now() + 60.0)),
        ("sub", json!("")),
    ] {
        let allowed = name == "sub";
        let claims = with(&good, name, value.clone());
        assert_eq!(proof(&tokens, &token(&issuer, "1", &claims)).await.is_some(), allowed, "{name} {value}");
    }
    for name in ["aud", "iss", "exp", "sub"] {
        assert!(proof(&tokens, &token(&issuer, "1", &without(&good, name))).await.is_none(), "without {name}");
    }
    let stranger = token(&Issuer::elliptic(), "1", &good);
    assert!(proof(&tokens, &stranger).await.is_none());
}

#[tokio::test]
async fn nobody_is_asked_about_a_token_of_somebody_else() {
    let issuer = Issuer::elliptic();
    let provider = Provider::start(&issuer);
    let tokens = provider.tokens();
    let other = with(&provider.claims(), "iss", json!("https://other.example.com"));
    assert!(proof(&tokens, &token(&issuer, "1", &other)).await.is_none());
    assert!(proof(&tokens, "no token").await.is_none());
    assert_eq!(provider.asked(), 0);
}

#[tokio::test]
async fn only_algorithms_count_that_the_provider_uses() {
    let issuer = Issuer::of("RSA");
    let provider = Provider::start(&issuer);
    provider.served.discovery.lock()["id_token_signing_alg_values_supported"] = json!(["RS256", "none"]);
    let tokens = provider.tokens();
    let by = |algorithm: &str| issuer.token(&json!({"alg": algorithm, "kid": "1"}), &provider.claims());
    assert!(proof(&tokens, &by("RS256")).await.is_some());
    assert!(proof(&tokens, &by("PS256")).await.is_none());
    let (_, rest) = by("RS256").split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let none = format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), rest.split('.').next().unwrap());
    assert!(proof(&tokens, &none).await.is_none());
}

#[tokio::test]
async fn a_new_key_is_found_and_strangers_cause_no_flood() {
    unless_stalled(STALL, async || {
        let [issuer, next] = [(); 2].map(|()| Issuer::elliptic());
        let provider = Provider::start(&issuer);
        let tokens = provider.tokens();
        assert!(proof(&tokens, &token(&issuer, "1", &provider.claims())).await.is_some());
        *provider.served.keys.lock() = json!({"keys": [next.jwk("2")]});
        let asked = provider.asked();
        for _ in 0..20 {
            assert!(proof(&tokens, &token(&Issuer::elliptic(), "9", &provider.claims())).await.is_none());
        }
        assert_eq!(provider.asked(), asked, "it was asked a moment ago");
        later(11).await;
        assert!(proof(&tokens, &token(&next, "2", &provider.claims())).await.is_some());
        assert!(proof(&tokens, &token(&issuer, "1", &provider.claims())).await.is_none(), "withdrawn");
        assert_eq!(provider.asked(), asked + 2);
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_neither_a_login_nor_a_wrong_token() {
    unless_stalled(STALL, async || {
        let issuer = Issuer::elliptic();
        let provider = Provider::start(&issuer);
        *provider.served.broken.lock() = true;
        let tokens = provider.tokens();
        let good = token(&issuer, "1", &provider.claims());
        assert!(is_unavailable(&tokens, &good).await);
        let asked = provider.asked();
        assert!(is_unavailable(&tokens, &good).await);
        assert_eq!(provider.asked(), asked, "it is left alone for a moment");
        later(3).await;
        *provider.served.broken.lock() = false;
        assert!(proof(&tokens, &good).await.is_some());
        // With keys at hand its absence goes unnoticed, for a while.
        *provider.served.broken.lock() = true;
        later(6 * 60).await;
        assert!(proof(&tokens, &good).await.is_some());
        later(60 * 60).await;
        assert!(is_unavailable(&tokens, &good).await);
    })
    .await;
}

#[tokio::test]
async fn a_document_that_is_not_the_providers_is_not_believed() {
    let issuer = Issuer::elliptic();
    let provider = Provider::start(&issuer);
    let good = token(&issuer, "1", &provider.claims());
    let right = provider.served.discovery.lock().clone();
    for (name, value) in [
        ("issuer", json!("https://other.example.com")),
        ("jwks_uri", json!("file:///etc/passwd")),
        ("jwks_uri", json!("http://user:secret@127.0.0.1/keys")),
        ("jwks_uri", json!("/keys")),
        ("jwks_uri", json!(7)),
    ] {
        *provider.served.discovery.lock() = with(&right, name, value.clone());
        assert!(is_unavailable(&provider.tokens(), &good).await, "{name} {value}");
    }
    let mut other = right.clone();
    other["issuer"] = json!("https://other.example.com");
    *provider.served.discovery.lock() = other;
    let any = provider.tokens_with(|oidc| BearerOidc { skip_issuer_verification: true, ..oidc });
    let foreign = token(&issuer, "1", &with(&provider.claims(), "iss", json!("https://other.example.com")));
    assert!(proof(&any, &foreign).await.is_some());
    *provider.served.discovery.lock() = right;
    *provider.served.keys.lock() = json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]});
    assert!(is_unavailable(&provider.tokens(), &good).await, "no keys");
    *provider.served.keys.lock() = json!({"keys": [], "padding": "x".repeat(2_000_000)});
    assert!(is_unavailable(&provider.tokens(), &good).await, "too large");
}
