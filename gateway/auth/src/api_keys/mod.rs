//! Keys that users make for their tools, and use in the place of their password.
//!
//! A key belongs to its user's record, so that every gateway knows it. It is good for what its scopes grant of that which its user may do.

mod date;
mod kept;
mod scope;
mod secret;
mod uses;
mod wish;

use std::{collections::HashMap, fmt, sync::Arc};

use parking_lot::Mutex;
use tokio::time::Instant;
use uuid::Uuid;
use zot_config::Secret;
use zot_contract::{ApiKey, Result, UserName, UserRecord};
use zot_runtime::tasks::Tasks;

use crate::{
    Method, Rights,
    accounts::Accounts,
    authn::{PasswordSource, Proof, Verdict},
    authz::Scope,
    now::now_unix_ms,
};

pub use kept::WithoutKeys;
pub use scope::InvalidScope;
pub use wish::{InvalidWish, KeyDescription, KeyWish};

use secret::KeyHash;
use uses::Uses;

/// The most keys whose scopes are kept compiled.
const SCOPES_MAX: usize = 4096;

/// The longest name of a client that is kept with a key, in bytes.
const USER_AGENT_BYTES_MAX: usize = 256;

/// The keys of all users. Clones share everything.
#[derive(Clone)]
pub struct ApiKeys {
    accounts: Arc<Accounts>,
    uses: Arc<Uses>,
    /// By key: the scopes of a key never change.
    scopes: Arc<Mutex<HashMap<Uuid, Arc<[Scope]>>>>,
    users: Option<Arc<dyn KnownUsers>>,
}

/// Knows all users there are.
pub trait KnownUsers: Send + Sync {
    /// Whether there is such a user.
    fn is_known(&self, user: &str) -> bool;
}

impl ApiKeys {
    /// The keys in the records of users. A task saves when they were last used.
    pub fn new(accounts: Arc<Accounts>, tasks: &Tasks) -> Self {
        let uses = Arc::<Uses>::default();
        tasks.spawn("save-uses-of-api-keys", Arc::clone(&uses).keep_saving(Arc::clone(&accounts), tasks.stop()));
        Self { accounts, uses, scopes: Arc::default(), users: None }
    }

    /// The same, of users whom `users` knows: where nobody else knows any, the keys of a user end with the user.
    #[must_use]
    pub fn of_known_users(self, users: Arc<dyn KnownUsers>) -> Self {
        Self { users: Some(users), ..self }
    }

    /// Makes a key. The secret is told this once.
    ///
    /// # Errors
    /// The user's record has no room for it, or cannot be changed for now.
    pub async fn make(&self, user: &UserName, wish: KeyWish, user_agent: &str) -> Result<(ApiKey, Secret)> {
        let (secret, secret_sha256) = secret::random();
        let user_agent = user_agent.get(..user_agent.floor_char_boundary(USER_AGENT_BYTES_MAX)).unwrap_or_default();
        let key = ApiKey {
            id: Uuid::new_v4(),
            label: wish.label,
            secret_sha256,
            scopes: wish.scopes,
            created_unix_ms: now_unix_ms(),
            expires_unix_ms: wish.expires_unix_ms,
            last_used_unix_ms: None,
            user_agent: user_agent.to_owned(),
        };
        let add = |record: &mut UserRecord| {
            let is_there = record.api_keys.iter().any(|there| there.id == key.id);
            if !is_there {
                record.api_keys.push(key.clone());
            }
            Some(())
        };
        self.accounts.change(user, add).await?;
        Ok((key, secret))
    }

    /// The keys of a user.
    ///
    /// # Errors
    /// They cannot be told for now.
    pub async fn list(&self, user: &UserName) -> Result<Vec<KeyDescription>> {
        let record = self.accounts.find_since(user, Instant::now()).await?;
        let now = now_unix_ms();
        Ok(record.iter().flat_map(|record| &record.api_keys).map(|key| KeyDescription::of(key, now)).collect())
    }

    /// Revokes the key of an identity: here it is good for nothing any more at once, elsewhere after some seconds. Returns whether the user had it.
    ///
    /// # Errors
    /// The user's record cannot be changed for now.
    pub async fn revoke(&self, user: &UserName, id: &str) -> Result<bool> {
        // What is no identity names no key.
        let Ok(id) = id.parse::<Uuid>() else { return Ok(false) };
        let mut found = false;
        let remove = |record: &mut UserRecord| {
            let before = record.api_keys.len();
            record.api_keys.retain(|key| key.id != id);
            // An attempt whose answer was lost may have removed it.
            found |= record.api_keys.len() < before;
            found.then_some(())
        };
        Ok(self.accounts.change(user, remove).await?.is_some())
    }

    fn rights(&self, key: &ApiKey) -> Rights {
        if key.scopes.is_empty() {
            return Rights::OfUser;
        }
        let mut compiled = self.scopes.lock();
        if compiled.len() >= SCOPES_MAX {
            compiled.clear();
        }
        // What another release wrote and this one does not understand grants nothing.
        let compile = || key.scopes.iter().filter_map(|text| scope::parse(text).ok()).collect();
        Rights::Narrowed(Arc::clone(compiled.entry(key.id).or_insert_with(compile)))
    }

    /// The record of a user, with the key if there is such a key: one that was made a moment ago by another process is looked for again.
    async fn record(&self, user: &UserName, hash: KeyHash) -> Result<Option<Arc<UserRecord>>> {
        let asked = Instant::now();
        let record = self.accounts.find(user).await?;
        if record.as_ref().is_some_and(|record| hash.find(&record.api_keys).is_some()) {
            return Ok(record);
        }
        self.accounts.find_since(user, asked).await
    }

    fn proof(&self, user: &UserName, record: &UserRecord, hash: KeyHash) -> Option<Proof> {
        let (key, now) = (hash.find(&record.api_keys)?, now_unix_ms());
        let is_owned = self.users.as_ref().is_none_or(|users| users.is_known(user.as_str()));
        if wish::is_expired(key, now) || !is_owned {
            return None;
        }
        self.uses.note(user, key, now);
        let groups = record.groups.iter().map(|group| group.as_str().into()).collect();
        Some(Proof { groups, rights: self.rights(key), ..Proof::of_user(user.as_str(), Method::ApiKey) })
    }
}

#[async_trait::async_trait]
impl PasswordSource for ApiKeys {
    async fn check(&self, user: &str, password: &Secret) -> Verdict {
        let (Some(hash), Ok(user)) = (KeyHash::of(password), user.parse::<UserName>()) else { return Verdict::Wrong };
        match self.record(&user, hash).await {
            Ok(record) => record.and_then(|record| self.proof(&user, &record, hash)).map_or(Verdict::Wrong, Verdict::Proved),
            Err(error) => Verdict::Unavailable { what: "records of users", source: error.into() },
        }
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
