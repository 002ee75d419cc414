//! Tokens at the door: what each opens, and what clients are told without.

mod endpoint;
mod registry;

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{body::Body, http::Request};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PublicKeyData as _};
use serde_json::{Value, json};
use zot_auth::{Access, Surroundings, sessions::MemoryStore};
use zot_config::Config;
use zot_contract::{Context, MemoryRegistry};
use zot_runtime::tasks::Tasks;

use crate::sandbox::{Reply, Sandbox, Setup};

/// Who issues tokens.
struct Issuer(KeyPair);

impl Issuer {
    fn new() -> Self {
        Self(KeyPair::generate().unwrap())
    }

    fn pem(&self) -> String {
        self.0.public_key_pem()
    }

    /// Its public keys, as OpenID providers hand them out.
    fn keys(&self) -> Value {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        let point = self.0.der_bytes();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"keys": [{"kty": "EC", "crv": "P-256", "x": part(&point[1..33]), "y": part(&point[33..])}]})
    }

    fn sign(&self, claims: &Value) -> String {
        let key = EncodingKey::from_ec_pem(self.0.serialize_pem().as_bytes()).unwrap();
        encode(&Header::new(Algorithm::ES256), claims, &key).unwrap()
    }

    /// A token of the registry token protocol, good for `access`, from now and for `seconds`.
    fn token_for(&self, access: &Value, seconds: i64) -> String {
        self.sign(&json!({"sub": "alice", "aud": "zot", "exp": now() + seconds, "access": access}))
    }

    fn token(&self, repository: &str, actions: &[&str]) -> String {
        self.token_for(&json!([{"type": "repository", "name": repository, "actions": actions}]), 60)
    }
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// A registry whose `http.auth.bearer` is `bearer`.
async fn registry(bearer: &Value) -> Sandbox {
    let config = json!({"storage": {"rootDirectory": "/tmp/zot", "gc": false}, "http": {"auth": {"bearer": bearer}}});
    let config = Config::parse("config.json".as_ref(), &config.to_string()).unwrap().config;
    let registry = Arc::new(MemoryRegistry::default());
    let (tasks, logins) = (Tasks::new(), Arc::new(MemoryStore::of_logins()));
    let surroundings = Surroundings { registry: registry.clone(), tasks, internal: Arc::new(Context::internal), logins };
    let access = Access::open(&config, &surroundings).await.unwrap();
    Sandbox::with(Setup { registry, access, ..Setup::default() }).await
}

/// Sends a request with a token.
async fn ask(sandbox: &Sandbox, method: &str, path: &str, token: &str) -> Reply {
    let request = sandbox.request(method, path).header("authorization", format!("Bearer {token}"));
    sandbox.send(request.body(Body::empty()).unwrap()).await
}

async fn send(sandbox: &Sandbox, request: axum::http::request::Builder, body: impl Into<Body>) -> Reply {
    let request: Request<Body> = request.body(body.into()).unwrap();
    sandbox.send(request).await
}
