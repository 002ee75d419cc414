//! Who may do what, from outside: rules, and people who prove who they are with a password of the test's own.

mod catalog;
mod denials;
mod matrix;
mod oracles;
mod protection;
mod tags;

use axum::{body::Body, http::request::Builder};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use zot_auth::{
    Access, Challenges, Method, Rights,
    authn::{Authenticators, PasswordSource, Proof, TokenSource, Verdict},
    authz::{Action, Policy, Scope, ScopeTarget},
};
use zot_config::{Config, Secret};

use crate::sandbox::{Reply, Sandbox, Setup};

/// Whoever asks, and how they show who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    /// Shows nothing.
    Nobody,
    /// Shows a wrong password.
    Wrong,
    /// Shows a good one.
    User(&'static str),
    /// Shows a password that is good for one action on one repository.
    Key(&'static str, Action, &'static str),
    /// Shows a token that grants one action on one repository, to whomever it may be.
    Token(Action, &'static str),
}

impl Who {
    fn authorization(self) -> Option<String> {
        let basic = |user: &str, password: &str| Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
        match self {
            Self::Nobody => None,
            Self::Wrong => basic("alice", "wrong"),
            Self::User(name) => basic(name, "secret"),
            Self::Key(name, action, repository) => basic(name, &format!("{}@{repository}", action.as_str())),
            Self::Token(action, repository) => Some(format!("Bearer {}@{repository}", action.as_str())),
        }
    }

    fn name(self) -> Option<&'static str> {
        match self {
            Self::User(name) | Self::Key(name, ..) => Some(name),
            Self::Nobody | Self::Wrong | Self::Token(..) => None,
        }
    }
}

const ACTIONS: [Action; 4] = [Action::Read, Action::Create, Action::Update, Action::Delete];

/// Everybody's password is `secret`.
#[derive(Debug)]
struct Known;

/// The one action on one repository that a text grants.
fn scopes(text: &str) -> Option<Rights> {
    let (action, repository) = text.split_once('@')?;
    let action = ACTIONS.into_iter().find(|known| known.as_str() == action)?;
    let target = ScopeTarget::Repository(repository.to_owned());
    Some(Rights::Narrowed([Scope { target, actions: [action].into_iter().collect() }].into()))
}

#[async_trait::async_trait]
impl PasswordSource for Known {
    async fn check(&self, user: &str, password: &Secret) -> Verdict {
        let proof = Proof::of_user(user, Method::Htpasswd);
        match (password.reveal(), scopes(password.reveal())) {
            ("secret", _) => Verdict::Proved(proof),
            (_, Some(rights)) => Verdict::Proved(Proof { rights, method: Method::ApiKey, ..proof }),
            _ => Verdict::Wrong,
        }
    }
}

#[async_trait::async_trait]
impl TokenSource for Known {
    async fn check(&self, token: &Secret) -> Verdict {
        match scopes(token.reveal()) {
            Some(Rights::Narrowed(scopes)) => Verdict::Proved(Proof {
                user: None,
                groups: Vec::new(),
                method: Method::RegistryToken,
                rights: Rights::Granted(scopes),
                claims: None,
            }),
            _ => Verdict::Wrong,
        }
    }
}

/// Access by these rules.
fn access(access_control: &Value) -> Access {
    // Rules about users are accepted only where there is some way of logging in.
    let tls = json!({ "cert": "/c", "key": "/k", "cacert": "/a" });
    let http = json!({ "accessControl": access_control, "tls": tls, "realm": "the registry" });
    let text = json!({ "storage": { "rootDirectory": "/r", "gc": false }, "http": http }).to_string();
    let http = Config::parse("c.json".as_ref(), &text).unwrap().config.http;
    known()
        .governed(Policy::compile(&http.access_control.unwrap()).unwrap())
        .challenging(Challenges { basic: Some(http.realm), bearer: None })
}

/// Access to everything for everybody who is known.
fn known() -> Access {
    Access::new(Authenticators { passwords: vec![Box::new(Known)], tokens: vec![Box::new(Known)], ..Authenticators::default() })
}

async fn sandbox(access_control: &Value) -> Sandbox {
    Sandbox::with(Setup { access: access(access_control), ..Setup::default() }).await
}

fn asked_by(request: Builder, who: Who) -> Builder {
    match who.authorization() {
        Some(authorization) => request.header("authorization", authorization),
        None => request,
    }
}

impl Sandbox {
    async fn call_as(&self, who: Who, method: &str, path: &str) -> Reply {
        self.send(asked_by(self.request(method, path), who).body(Body::empty()).unwrap()).await
    }

    async fn push_blob_as(&self, who: Who, name: &str, content: &'static str) -> String {
        let digest = zot_oci::Digest::sha256(content.as_bytes()).to_string();
        let request = asked_by(self.request("POST", &format!("/v2/{name}/blobs/uploads/?digest={digest}")), who);
        let reply = self.send(request.body(content.into()).unwrap()).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        digest
    }

    async fn push_manifest_as(&self, who: Who, name: &str, reference: &str, content: &str) -> Reply {
        let request = asked_by(self.request("PUT", &format!("/v2/{name}/manifests/{reference}")), who);
        let request = request.header("content-type", "application/vnd.oci.image.index.v1+json");
        self.send(request.body(content.to_owned().into()).unwrap()).await
    }
}

/// An index without manifests, another one for each `number`.
fn index(number: usize) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{{"number":"{number}"}}}}"#
    )
}
