//! A directory as one state of the files makes it: connections that look users up, and connections on which users prove themselves.

use std::time::Duration;

use ldap3::{DerefAliases, Ldap, LdapError, LdapResult, SearchEntry, SearchOptions};
use parking_lot::Mutex;
use tokio::time::Instant;
use zot_config::{Secret, http::auth::BindCredentials};

use super::{
    query::{Found, Query},
    reach::Reach,
};

/// How many connections for looking users up are kept.
const IDLE_MAX: usize = 4;
/// How long one is kept without being used. Directories and firewalls end idle connections after minutes.
const IDLE_TIME_MAX: Duration = Duration::from_secs(60);
/// How long a search may take at the directory, in seconds.
const SEARCH_SECONDS_MAX: i32 = 5;
/// Two entries tell that it is not one.
const ENTRIES_MAX: i32 = 2;

const SUCCESS: u32 = 0;
const SIZE_LIMIT_EXCEEDED: u32 = 4;
/// What a directory says of a bind that proves nothing: a constraint on the account (19), no such account (32), nothing to prove it with (48), a
/// wrong password (49), no right to (50), unwilling (53). Everything else is a failure.
const REFUSALS: [u32; 6] = [19, 32, 48, 49, 50, 53];

/// Looks users up and lets them prove themselves.
#[derive(Debug)]
pub(super) struct Directory {
    reach: Reach,
    query: Query,
    credentials: BindCredentials,
    /// Connections that look users up, not in use, each with the time since when.
    idle: Mutex<Vec<(Instant, Idle)>>,
}

/// A connection on which the registry is bound, or nobody.
struct Idle(Ldap);

/// Why a directory did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum DirectoryError {
    #[error("connect to the directory")]
    Connect(#[source] LdapError),
    #[error("bind to look users up")]
    Bind(#[source] LdapError),
    #[error("look a user up")]
    Search(#[source] LdapError),
    #[error("let a user bind")]
    UserBind(#[source] LdapError),
}

impl Directory {
    pub(super) fn new(reach: Reach, query: Query, credentials: BindCredentials) -> Self {
        Self { reach, query, credentials, idle: Mutex::default() }
    }

    /// The user of this name, if the password is theirs.
    pub(super) async fn login(&self, name: &str, password: &Secret) -> Result<Option<Found>, DirectoryError> {
        // A directory takes a bind without a password for one of nobody, and lets it succeed (RFC 4513 section 5.1.2).
        if password.is_empty() {
            return Ok(None);
        }
        let Some(filter) = self.query.filter(name) else { return Ok(None) };
        let Some(found) = self.find(name, &filter).await? else { return Ok(None) };
        Ok(self.proves(&found.dn, password).await?.then_some(found))
    }

    async fn find(&self, name: &str, filter: &str) -> Result<Option<Found>, DirectoryError> {
        if let Some(mut connection) = self.take_idle() {
            // It may have been cut since it was used: then a new one tells whether the directory is there.
            if let Ok(entries) = self.search(&mut connection, filter).await {
                self.keep(connection);
                return Ok(self.query.found(name, entries));
            }
        }
        let mut connection = self.bound().await?;
        let entries = self.search(&mut connection, filter).await?;
        self.keep(connection);
        Ok(self.query.found(name, entries))
    }

    async fn search(&self, connection: &mut Ldap, filter: &str) -> Result<Vec<SearchEntry>, DirectoryError> {
        let options = SearchOptions::new().deref(DerefAliases::Never).sizelimit(ENTRIES_MAX).timelimit(SEARCH_SECONDS_MAX);
        let search = connection.with_search_options(options).search(&self.query.base, self.query.scope, filter, self.query.attributes());
        let ldap3::SearchResult(entries, result) = search.await.map_err(DirectoryError::Search)?;
        match result.rc {
            SUCCESS | SIZE_LIMIT_EXCEEDED => {}
            _ => return Err(DirectoryError::Search(result.into())),
        }
        let entries = entries.into_iter().filter(|entry| !entry.is_ref() && !entry.is_intermediate());
        let mut entries: Vec<_> = entries.map(SearchEntry::construct).collect();
        if result.rc == SIZE_LIMIT_EXCEEDED {
            // There are more than were told.
            entries.extend(entries.last().cloned());
        }
        Ok(entries)
    }

    /// A new connection, on which the registry is bound as configured.
    async fn bound(&self) -> Result<Ldap, DirectoryError> {
        let mut connection = self.reach.connect().await.map_err(DirectoryError::Connect)?;
        if let (Some(dn), Some(password)) = (&self.credentials.bind_dn, &self.credentials.bind_password) {
            let bound = connection.simple_bind(dn, password.reveal()).await.and_then(LdapResult::success);
            bound.map_err(DirectoryError::Bind)?;
        }
        Ok(connection)
    }

    /// Whether a user can bind. It has a connection of its own: what binds on one changes who it belongs to.
    async fn proves(&self, dn: &str, password: &Secret) -> Result<bool, DirectoryError> {
        let mut connection = self.reach.connect().await.map_err(DirectoryError::Connect)?;
        let result = connection.simple_bind(dn, password.reveal()).await.map_err(DirectoryError::UserBind)?;
        // Whether the farewell arrives changes nothing.
        let _ = connection.unbind().await;
        match result.rc {
            SUCCESS => Ok(true),
            code if REFUSALS.contains(&code) => {
                tracing::debug!(dn, code, reason = result.text, "the ldap directory refused a user's bind");
                Ok(false)
            }
            _ => Err(DirectoryError::UserBind(result.into())),
        }
    }

    fn take_idle(&self) -> Option<Ldap> {
        let mut idle = self.idle.lock();
        idle.retain_mut(|(since, connection)| since.elapsed() < IDLE_TIME_MAX && !connection.0.is_closed());
        idle.pop().map(|(_, connection)| connection.0)
    }

    fn keep(&self, connection: Ldap) {
        let mut idle = self.idle.lock();
        if idle.len() < IDLE_MAX {
            idle.push((Instant::now(), Idle(connection)));
        }
    }
}

impl std::fmt::Debug for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Idle")
    }
}
