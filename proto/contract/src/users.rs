//! The role that remembers users: what the registry itself knows of them, beside what proves who they are.

use std::{fmt, str::FromStr, sync::Arc};

use uuid::Uuid;
use zot_oci::RepositoryName;

use crate::{Context, Error, Result};

/// The longest name of a user, in bytes.
pub const USER_NAME_BYTES_MAX: usize = 256;

/// The largest record of a user, in bytes as [`UserRecord::size_bytes`] counts them: every store has room for a row of it.
pub const USER_RECORD_BYTES_MAX: usize = 256 << 10;

/// What an entry of a record takes besides its texts, in bytes: no store needs more.
const ENTRY_BYTES: usize = 128;

/// Keeps what is known of users.
///
/// # Contract
/// - A record is saved whole, if it is still as its saver read it, or not at all: of concurrent savers who read the same, one wins.
/// - A record has at most [`USER_RECORD_BYTES_MAX`] bytes.
/// - A save whose answer was lost may have been made: whoever reads again and finds the change made has made it.
#[async_trait::async_trait]
pub trait Users: Send + Sync {
    /// What is known of a user, if anything is.
    async fn find_user(&self, cx: &Context, user: &UserName) -> Result<Option<FoundUser>>;

    /// Replaces what is known of a user. `expected` is the revision that was found, none if nothing was; if it is another meanwhile, the
    /// answer is [`Error::UserChanged`].
    async fn save_user(&self, cx: &Context, user: &UserName, expected: Option<Revision>, record: &UserRecord) -> Result<()>;
}

/// The name of a user: 1 to [`USER_NAME_BYTES_MAX`] bytes without control characters. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(Arc<str>);

/// A string is not the name of a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid name of a user: expected 1 to {USER_NAME_BYTES_MAX} bytes without control characters")]
pub struct InvalidUserName;

/// A state of a user's record. No two states of one record have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Revision(pub u64);

/// A user's record as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundUser {
    /// Which state of the record it is.
    pub revision: Revision,
    /// What is known.
    pub record: UserRecord,
}

/// What is known of a user. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserRecord {
    /// The groups that whoever proved the user's identity named, as of the last login with a password or in a browser.
    pub groups: Vec<String>,
    /// The keys that the user made for tools.
    pub api_keys: Vec<ApiKey>,
    /// The repositories that the user gave a star.
    pub starred: Vec<RepositoryName>,
    /// The repositories that the user bookmarked.
    pub bookmarked: Vec<RepositoryName>,
    /// Sessions that began before are over.
    pub sessions_valid_from_unix_ms: u64,
}

/// A key that stands in the place of a user's password.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Names the key.
    pub id: Uuid,
    /// What the user calls it.
    pub label: String,
    /// The SHA-256 of its secret; the secret itself is nowhere.
    pub secret_sha256: [u8; 32],
    /// What it is good for, as it was asked for; empty for all that its owner may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_unix_ms: u64,
    /// From when on it is good for nothing, if ever.
    pub expires_unix_ms: Option<u64>,
    /// When it was last used, a little late; none if never.
    pub last_used_unix_ms: Option<u64>,
    /// The client that made it.
    pub user_agent: String,
}

impl UserRecord {
    /// About how many bytes it takes, never less than any store needs.
    pub fn size_bytes(&self) -> usize {
        let texts = |texts: &[String]| texts.iter().map(|text| text.len() + ENTRY_BYTES).sum::<usize>();
        let names = |names: &[RepositoryName]| names.iter().map(|name| name.as_str().len() + ENTRY_BYTES).sum::<usize>();
        let key = |key: &ApiKey| key.label.len() + key.user_agent.len() + texts(&key.scopes) + 2 * ENTRY_BYTES;
        let keys: usize = self.api_keys.iter().map(key).sum();
        ENTRY_BYTES + texts(&self.groups) + keys + names(&self.starred) + names(&self.bookmarked)
    }

    /// Refuses a record that is too large.
    ///
    /// # Errors
    /// [`Error::UserTooLarge`].
    pub fn check_size(&self, user: &UserName) -> Result<()> {
        let bytes = self.size_bytes();
        if bytes > USER_RECORD_BYTES_MAX { Err(Error::UserTooLarge { user: user.clone(), bytes: bytes as u64 }) } else { Ok(()) }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").field("id", &self.id).field("label", &self.label).field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

impl UserName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserName {
    type Err = InvalidUserName;

    fn from_str(text: &str) -> std::result::Result<Self, InvalidUserName> {
        let is_name = !text.is_empty() && text.len() <= USER_NAME_BYTES_MAX && !text.chars().any(char::is_control);
        if is_name { Ok(Self(text.into())) } else { Err(InvalidUserName) }
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_have_no_control_characters() {
        for name in ["alice", "alice@example.com", "cn=alice,dc=example", "spiffe://a/b#c", "ä", &"x".repeat(USER_NAME_BYTES_MAX)] {
            assert!(name.parse::<UserName>().is_ok(), "{name:?}");
        }
        for name in ["", "a\0", "a\r\n", "\u{7f}", &"x".repeat(USER_NAME_BYTES_MAX + 1)] {
            assert_eq!(name.parse::<UserName>(), Err(InvalidUserName), "{name:?}");
        }
    }
}
