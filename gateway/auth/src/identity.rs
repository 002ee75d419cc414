//! Who a request is from, as far as it was proved.

use std::sync::Arc;

use serde_json::Value;
use zot_contract::Subject;

use crate::authz::Scope;

/// Who a request is from, and what that proof is good for.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The user, or nobody in particular.
    pub subject: Subject,
    /// The groups that the user is in, by the configuration and by what proved the identity. Sorted, without repetition.
    pub groups: Vec<Arc<str>>,
    /// What proved it.
    pub method: Method,
    /// What the proof is good for.
    pub rights: Rights,
    /// The claims of the token that proved it, where conditions may look at them.
    pub claims: Option<Arc<Value>>,
}

/// What proved an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Nothing: nobody in particular.
    Anonymous,
    /// A password of the htpasswd file.
    Htpasswd,
    /// A password of the LDAP directory.
    Ldap,
    /// An API key.
    ApiKey,
    /// A session that began with a login in the browser.
    Session,
    /// The certificate of the client.
    Certificate,
    /// A token of the registry token protocol.
    RegistryToken,
    /// An identity token of a workload.
    IdentityToken,
}

/// What a proof is good for.
#[derive(Debug, Clone)]
pub enum Rights {
    /// What the policy grants the user.
    OfUser,
    /// What the policy grants the user, and any of these scopes does too.
    Narrowed(Arc<[Scope]>),
    /// What any of these scopes grants; the policy is not asked.
    Granted(Arc<[Scope]>),
}

impl Identity {
    /// Nobody in particular.
    pub fn anonymous() -> Self {
        Self { subject: Subject::Anonymous, groups: Vec::new(), method: Method::Anonymous, rights: Rights::OfUser, claims: None }
    }

    /// Whether it is nobody in particular. A token may grant something to somebody without a name: that is not nobody.
    pub fn is_anonymous(&self) -> bool {
        self.method == Method::Anonymous
    }

    /// The user's name, if there is one.
    pub fn user(&self) -> Option<&str> {
        match &self.subject {
            Subject::Anonymous => None,
            Subject::User(name) => Some(name),
        }
    }
}
