//! `/zot/auth/token`: identity tokens are handed back, others come from a token service.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Issuer, ask, now, registry, send};
use crate::sandbox::{Reply, Sandbox};

/// An OpenID provider and a token service at one address, which remembers what it was asked.
struct Party {
    url: String,
    issuer: Issuer,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Party {
    /// `answer` is what its token service says, with status and headers.
    fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let party = Self { url: url.clone(), issuer: Issuer::new(), asked: Arc::default() };
        let (keys, asked) = (party.issuer.keys().to_string(), Arc::clone(&party.asked));
        let discovery = json!({"issuer": url, "jwks_uri": format!("{url}/keys"), "id_token_signing_alg_values_supported": ["ES256"]});
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = [0; 16_384];
                let length = stream.read(&mut request).unwrap_or(0);
                let text = String::from_utf8_lossy(&request[..length]).to_string();
                let json = |body: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
                let reply = match text.split(' ').nth(1).unwrap_or_default() {
                    "/keys" => json(&keys),
                    path if path.starts_with("/.well-known") => json(&discovery.to_string()),
                    _ => {
                        asked.lock().unwrap().push(text);
                        answer.to_owned()
                    }
                };
                let _ = stream.write_all(reply.as_bytes());
            }
        });
        party
    }

    async fn registry(&self, more: &Value) -> Sandbox {
        let mut bearer = json!({"realm": "https://registry/zot/auth/token", "oidc": [{"issuer": self.url, "audiences": ["zot"]}]});
        if let Some(more) = more.as_object() {
            bearer.as_object_mut().unwrap().extend(more.clone());
        }
        registry(&bearer).await
    }

    fn token(&self, audience: &str) -> String {
        self.issuer.sign(&json!({"iss": self.url, "sub": "job", "aud": audience, "exp": now() + 100, "iat": now()}))
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn upstream(party: &Party) -> Value {
    json!({"upstreamTokenEndpoint": {"realm": format!("{}/issue?tenant=a", party.url), "service": "there", "allowInsecureHttp": true}})
}

const ISSUED: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nset-cookie: a=b\r\ncontent-length: 15\r\n\
    connection: close\r\n\r\n{\"token\":\"abc\"}";
const ELSEWHERE: &str = "HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const PATH: &str = "/zot/auth/token?service=zot&scope=repository:a:pull";

async fn with_password(sandbox: &Sandbox, password: &str) -> Reply {
    let shown = STANDARD.encode(format!("oauth2:{password}"));
    send(sandbox, sandbox.request("GET", PATH).header("authorization", format!("Basic {shown}")), "").await
}

async fn with_form(sandbox: &Sandbox, form: String) -> Reply {
    let request = sandbox.request("POST", PATH).header("content-type", "application/x-www-form-urlencoded; charset=utf-8");
    send(sandbox, request, form).await
}

#[tokio::test]
async fn an_identity_token_is_handed_back_and_opens_the_registry() {
    let party = Party::start(ISSUED);
    let sandbox = party.registry(&Value::Null).await;
    let token = party.token("zot");
    let mut replies = vec![with_password(&sandbox, &token).await];
    for field in ["password", "id_token", "access_token", "refresh_token", "token"] {
        replies.push(with_form(&sandbox, format!("grant_type=password&{field}={token}")).await);
    }
    for reply in replies {
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!((reply.header("cache-control"), reply.header("pragma")), ("no-store", "no-cache"));
        let json = reply.json();
        assert_eq!((json["token"].as_str(), json["access_token"].as_str()), (Some(token.as_str()), Some(token.as_str())));
        assert!((95..=100).contains(&json["expires_in"].as_u64().unwrap()), "{json}");
        assert!(json["issued_at"].as_str().unwrap().ends_with('Z'), "{json}");
    }
    assert_eq!(ask(&sandbox, "GET", "/v2/", &token).await.status, 200);
    assert_eq!(ask(&sandbox, "GET", "/v2/_catalog", &token).await.status, 200, "no policy: everybody who is known may do everything");
    let refused = ask(&sandbox, "GET", "/v2/", &party.token("other")).await;
    assert_eq!(refused.header("www-authenticate"), "Bearer realm=\"https://registry/zot/auth/token\",error=\"invalid_token\"");
}

#[tokio::test]
async fn what_is_no_token_of_a_provider_is_refused_with_a_challenge() {
    let party = Party::start(ISSUED);
    let sandbox = party.registry(&Value::Null).await;
    let strangers = Issuer::new().sign(&json!({"iss": party.url, "sub": "job", "aud": "zot", "exp": now() + 100}));
    let mut replies = vec![sandbox.get(PATH).await, with_form(&sandbox, String::new()).await];
    for password in ["", "secret", strangers.as_str(), party.token("other").as_str()] {
        replies.push(with_password(&sandbox, password).await);
    }
    for reply in replies {
        assert_eq!(reply.refusal(), (401, "UNAUTHORIZED".to_owned()), "{reply:?}");
        assert_eq!(reply.header("www-authenticate"), "Basic realm=\"https://registry/zot/auth/token\"");
        assert_eq!(reply.header("cache-control"), "no-store");
    }
    let large = with_form(&sandbox, format!("token={}", "x".repeat(70_000))).await;
    assert_eq!(large.status, 413, "{large:?}");
    assert_eq!(with_form(&sandbox, "token=%zz".to_owned()).await.refusal(), (400, "UNSUPPORTED".to_owned()));
}

#[tokio::test]
async fn a_registry_without_identity_tokens_has_no_such_endpoint() {
    assert_eq!(Sandbox::start().await.get(PATH).await.status, 404);
}

#[tokio::test]
async fn other_tokens_come_from_the_token_service() {
    let party = Party::start(ISSUED);
    let sandbox = party.registry(&upstream(&party)).await;
    let reply = with_password(&sandbox, "secret").await;
    assert_eq!((reply.status, reply.json()), (200, json!({"token": "abc"})));
    assert_eq!((reply.header("set-cookie"), reply.header("cache-control")), ("", "no-store"));
    let asked = party.asked().pop().unwrap().to_lowercase();
    assert!(asked.starts_with("get /issue?tenant=a&service=there&scope=repository%3aa%3apull http/1.1"), "{asked}");
    assert!(asked.contains("authorization: basic "), "{asked}");
    assert!(!asked.contains(&sandbox.address.to_string()), "{asked}");

    let reply = with_form(&sandbox, "grant_type=password&username=u&password=p&service=zot".to_owned()).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let asked = party.asked().pop().unwrap();
    assert!(asked.starts_with("POST ") && asked.ends_with("grant_type=password&username=u&password=p&service=there"), "{asked}");

    let before = party.asked().len();
    assert_eq!(with_password(&sandbox, &party.token("zot")).await.json()["expires_in"].as_u64().map(|seconds| seconds > 90), Some(true));
    assert_eq!(party.asked().len(), before, "a token of ours is not shown to others");
}

#[tokio::test]
async fn credentials_are_not_sent_on_to_where_a_token_service_points() {
    let party = Party::start(ELSEWHERE);
    let sandbox = party.registry(&upstream(&party)).await;
    let reply = with_password(&sandbox, "secret").await;
    assert_eq!(reply.refusal(), (502, "UNSUPPORTED".to_owned()), "{reply:?}");
    assert_eq!((reply.header("location"), party.asked().len()), ("", 1));
}
