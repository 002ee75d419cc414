//! Which way is tried, and what is made of what those say who are asked.

use http::{HeaderValue, header::AUTHORIZATION};
use zot_config::Secret;

use super::*;
use crate::Method;

/// Knows one user, or cannot be asked.
#[derive(Debug)]
struct Knows(Option<(&'static str, &'static str)>);

#[async_trait::async_trait]
impl PasswordSource for Knows {
    async fn check(&self, user: &str, password: &Secret) -> Verdict {
        match self.0 {
            Some((name, secret)) if name == user && secret == password.reveal() => Verdict::Proved(Proof::of_user(user, Method::Htpasswd)),
            Some(_) => Verdict::Wrong,
            None => Verdict::Unavailable { what: "the directory", source: "connection refused".into() },
        }
    }
}

async fn identify(sources: Vec<Knows>, method: HttpMethod, authorization: Option<&'static str>) -> Result<Identity, Rejected> {
    let passwords = sources.into_iter().map(|source| Box::new(source) as Box<dyn PasswordSource>).collect();
    let headers = authorization.map(|value| (AUTHORIZATION, HeaderValue::from_static(value))).into_iter().collect();
    let peer = Peer::plain(([127, 0, 0, 1], 1).into());
    let authenticators = Authenticators { passwords, ..Authenticators::default() };
    authenticators.identify(&Asked { method: &method, headers: &headers, peer: &peer }).await
}

/// `alice:secret`
const ALICE: Option<&str> = Some("Basic YWxpY2U6c2VjcmV0");

#[tokio::test]
async fn whoever_proves_it_is_who_they_say() {
    let identity = identify(vec![Knows(Some(("bob", "x"))), Knows(Some(("alice", "secret")))], HttpMethod::GET, ALICE).await.unwrap();
    assert_eq!((identity.user(), identity.method), (Some("alice"), Method::Htpasswd));
}

#[tokio::test]
async fn a_wrong_proof_is_not_nobody_in_particular() {
    let rejected = identify(vec![Knows(Some(("alice", "other")))], HttpMethod::GET, ALICE).await.unwrap_err();
    assert!(matches!(rejected, Rejected::Wrong));
    let rejected = identify(vec![Knows(Some(("alice", "other")))], HttpMethod::GET, Some("Bearer abc")).await.unwrap_err();
    assert!(matches!(rejected, Rejected::Wrong));
}

#[tokio::test]
async fn who_cannot_be_asked_is_neither_a_login_nor_a_wrong_password() {
    let rejected = identify(vec![Knows(None), Knows(Some(("alice", "other")))], HttpMethod::GET, ALICE).await.unwrap_err();
    assert!(matches!(rejected, Rejected::Unavailable { what: "the directory", .. }));
    let identity = identify(vec![Knows(None), Knows(Some(("alice", "secret")))], HttpMethod::GET, ALICE).await.unwrap();
    assert_eq!(identity.user(), Some("alice"));
}

#[tokio::test]
async fn who_shows_nothing_is_nobody_in_particular() {
    assert!(identify(vec![Knows(None)], HttpMethod::GET, None).await.unwrap().is_anonymous());
    assert!(identify(vec![Knows(None)], HttpMethod::OPTIONS, ALICE).await.unwrap().is_anonymous());
    assert!(identify(vec![], HttpMethod::GET, ALICE).await.unwrap().is_anonymous(), "nobody is asked");
}
