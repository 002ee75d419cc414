//! A session as it is kept: who logged in, how, and when.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::SESSION_LIFE;
use crate::now::now_unix_ms;

/// Who logged in, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The user's name.
    pub user: String,
    /// The groups that whoever proved it said they are in. Those of the configuration are added when something is decided.
    pub groups: Vec<String>,
    /// How it was proved.
    pub method: LoginMethod,
    /// Where, if that was at another party: its name in the configuration.
    pub provider: Option<String>,
    /// When, in milliseconds since the Unix epoch; a little later, if its user ended all sessions a moment before.
    pub begun_unix_ms: u64,
}

/// How somebody logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoginMethod {
    /// By a password of the htpasswd file.
    Htpasswd,
    /// By a password of the LDAP directory.
    Ldap,
    /// At another party.
    OpenId,
}

impl Session {
    /// A session that begins now.
    pub fn new(user: &str, groups: Vec<String>, method: LoginMethod, provider: Option<&str>) -> Self {
        Self { user: user.to_owned(), groups, method, provider: provider.map(str::to_owned), begun_unix_ms: now_unix_ms() }
    }

    /// The session in what a store kept, if its time is not over. A release that writes them differently makes people log in again.
    pub(super) fn live(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(value).ok().filter(|session: &Self| session.age() < SESSION_LIFE)
    }

    pub(super) fn age(&self) -> Duration {
        Duration::from_millis(now_unix_ms().saturating_sub(self.begun_unix_ms))
    }

    pub(super) fn is_same_login(&self, other: &Self) -> bool {
        (&self.user, &self.groups, self.method, &self.provider) == (&other.user, &other.groups, other.method, &other.provider)
    }
}
