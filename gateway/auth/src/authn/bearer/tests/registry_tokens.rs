//! Tokens of a token service: who shows one, what for, and until when.

use std::path::Path;

use futures::FutureExt as _;
use serde_json::{Value, json};
use zot_config::{Secret, http::auth::Bearer};
use zot_runtime::tasks::Tasks;

use super::{
    super::{KeysError, RegistryTokens, claims::now},
    Issuer, claims, with, without,
};
use crate::{
    Rights,
    authn::{Proof, TokenSource, Verdict},
    authz::{Action, Scope, ScopeTarget},
};

/// A registry that takes the tokens of one issuer.
pub(super) struct Registry {
    pub(super) issuer: Issuer,
    pub(super) tokens: RegistryTokens,
    pub(super) file: tempfile::NamedTempFile,
}

pub(super) fn bearer(cert: &Path) -> Bearer {
    Bearer {
        realm: Some("https://auth.example.com/token".to_owned()),
        service: Some("zot".to_owned()),
        cert: Some(cert.to_owned()),
        ..Bearer::default()
    }
}

/// Nobody has to be waited for where keys are in a file.
fn open(bearer: &Bearer) -> Result<Option<RegistryTokens>, KeysError> {
    RegistryTokens::open(bearer, &Tasks::new()).now_or_never().unwrap()
}

impl Registry {
    pub(super) fn of(issuer: Issuer) -> Self {
        Self::configured(issuer, |bearer| bearer)
    }

    fn configured(issuer: Issuer, change: impl FnOnce(Bearer) -> Bearer) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), issuer.pem()).unwrap();
        let tokens = open(&change(bearer(file.path()))).unwrap().unwrap();
        Self { issuer, tokens, file }
    }

    /// What a token of those claims proves.
    pub(super) async fn proof(&self, claims: &Value) -> Option<Proof> {
        self.proof_of(&self.issuer.token(&json!({"alg": "ES256", "typ": "JWT"}), claims)).await
    }

    pub(super) async fn proof_of(&self, token: &str) -> Option<Proof> {
        match self.tokens.check(&Secret::new(token)).await {
            Verdict::Proved(proof) => Some(proof),
            Verdict::Wrong => None,
            Verdict::Unavailable { .. } => panic!("nobody has to be asked"),
        }
    }
}

pub(super) fn granted(proof: &Proof) -> &[Scope] {
    match &proof.rights {
        Rights::Granted(scopes) => scopes,
        rights => panic!("{rights:?}"),
    }
}

#[tokio::test]
async fn a_good_token_grants_what_it_says_to_whom_it_says() {
    let registry = Registry::of(Issuer::elliptic());
    let proof = registry.proof(&claims()).await.unwrap();
    assert_eq!(proof.user.as_deref(), Some("alice"));
    let scopes = granted(&proof);
    assert!(scopes.iter().any(|scope| scope.grants(Action::Read, "team/app")));
    assert!(!scopes.iter().any(|scope| scope.grants(Action::Delete, "team/app") || scope.grants(Action::Read, "team/other")));

    let nobody = registry.proof(&without(&claims(), "sub")).await.unwrap();
    assert_eq!(nobody.user, None);
    let catalog = with(&claims(), "access", json!([{"type": "registry", "name": "catalog", "actions": ["*"]}]));
    let proof = registry.proof(&catalog).await.unwrap();
    assert!(matches!(granted(&proof)[0].target, ScopeTarget::Catalog));
    for nothing in [without(&claims(), "access"), with(&claims(), "access", json!([])), with(&claims(), "access", json!("all"))] {
        assert!(granted(&registry.proof(&nothing).await.unwrap()).is_empty());
    }
}

#[tokio::test]
async fn a_token_is_good_in_its_time_only() {
    let registry = Registry::of(Issuer::elliptic());
    for (name, seconds) in [("exp", 2.0), ("exp", -2.0), ("nbf", 2.0), ("iat", 2.0)] {
        assert!(registry.proof(&with(&claims(), name, json!(now() + seconds))).await.is_some(), "{name} {seconds}: clocks differ");
    }
    for (name, seconds) in [("exp", -10.0), ("nbf", 10.0), ("iat", 10.0)] {
        assert!(registry.proof(&with(&claims(), name, json!(now() + seconds))).await.is_none(), "{name} {seconds}");
    }
    for name in ["exp", "nbf", "iat"] {
        for odd in [json!("4102444800"), json!(null), json!([4_102_444_800_u64]), json!(true)] {
            assert!(registry.proof(&with(&claims(), name, odd.clone())).await.is_none(), "{name} {odd}");
        }
    }
    assert!(registry.proof(&without(&claims(), "exp")).await.is_none(), "it would never end");
    assert!(registry.proof(&without(&without(&claims(), "nbf"), "iat")).await.is_some());
}

#[tokio::test]
async fn a_token_for_another_service_is_no_good() {
    let registry = Registry::of(Issuer::elliptic());
    for good in [json!("zot"), json!(["zot"]), json!(["other", "zot"])] {
        assert!(registry.proof(&with(&claims(), "aud", good.clone())).await.is_some(), "{good}");
    }
    for bad in [json!("other"), json!("zot2"), json!("ZOT"), json!(""), json!([]), json!([["zot"]]), json!({"zot": true}), json!(null)] {
        assert!(registry.proof(&with(&claims(), "aud", bad.clone())).await.is_none(), "{bad}");
    }
    assert!(registry.proof(&without(&claims(), "aud")).await.is_none());
}

#[tokio::test]
async fn another_issuer_is_refused_where_the_issuer_is_known() {
    let issuer = Some("https://auth.example.com".to_owned());
    let registry = Registry::configured(Issuer::elliptic(), |bearer| Bearer { issuer, ..bearer });
    assert!(registry.proof(&claims()).await.is_some());
    for bad in [json!("https://auth.example.com/"), json!(["https://auth.example.com"]), json!(null)] {
        assert!(registry.proof(&with(&claims(), "iss", bad.clone())).await.is_none(), "{bad}");
    }
    assert!(registry.proof(&without(&claims(), "iss")).await.is_none());
}

#[tokio::test]
async fn a_replaced_key_counts() {
    let registry = Registry::of(Issuer::elliptic());
    let next = Issuer::of("P-384");
    let by_next = next.token(&json!({"alg": "ES384"}), &claims());
    assert!(registry.proof_of(&by_next).await.is_none());

    std::fs::write(registry.file.path(), next.certificate()).unwrap();
    zot_services::wait::until("the next key counts", async || registry.proof_of(&by_next).await.is_some()).await;
    assert!(registry.proof(&claims()).await.is_none());
}

#[tokio::test]
async fn a_registry_without_keys_does_not_start() {
    let missing = bearer(Path::new("/nowhere/key.pem"));
    assert!(open(&missing).is_err());
    assert!(open(&Bearer::default()).unwrap().is_none(), "none are configured");
}
