//! Who can be asked whether a proof is good.

use std::{fmt::Debug, sync::Arc};

use serde_json::Value;
use zot_config::Secret;
use zot_contract::BoxError;

use crate::{Method, Rights};

/// Knows passwords, or what stands in their place.
#[async_trait::async_trait]
pub trait PasswordSource: Debug + Send + Sync {
    /// Whether `password` is one of `user`'s.
    async fn check(&self, user: &str, password: &Secret) -> Verdict;

    /// Grows when it has learned something, so that what it said before may not hold any more.
    fn version(&self) -> u64 {
        0
    }
}

/// Knows tokens.
#[async_trait::async_trait]
pub trait TokenSource: Debug + Send + Sync {
    /// Whether `token` is good.
    async fn check(&self, token: &Secret) -> Verdict;
}

/// What somebody who was asked says of a proof.
#[derive(Debug)]
pub enum Verdict {
    /// It is good.
    Proved(Proof),
    /// It is not, as far as they know: somebody else may know better.
    Wrong,
    /// It cannot be told for now. That is never a login, and never a wrong password.
    Unavailable {
        /// Who would know.
        what: &'static str,
        /// Why they cannot tell.
        source: BoxError,
    },
}

/// What a good proof proves.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The user's name; a token may have none.
    pub user: Option<Arc<str>>,
    /// The groups that whoever knows the user says they are in.
    pub groups: Vec<Arc<str>>,
    /// What was proved with.
    pub method: Method,
    /// What it is good for.
    pub rights: Rights,
    /// The claims of a token, where conditions may look at them.
    pub claims: Option<Arc<Value>>,
}

impl Proof {
    /// That somebody is `user`, with all of that user's rights.
    pub fn of_user(user: &str, method: Method) -> Self {
        Self { user: Some(user.into()), groups: Vec::new(), method, rights: Rights::OfUser, claims: None }
    }
}
