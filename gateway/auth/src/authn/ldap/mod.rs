//! Users of an LDAP directory: looked up by their name, then bound with their password.

mod directory;
mod query;
mod reach;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use zot_config::{Config, ConfigError, KeyPath, Problem, Secret, http::auth::Ldap as Settings};
use zot_runtime::{file_watch::FileWatch, tasks::Tasks, telemetry::chain};

use self::{directory::Directory, query::Query, reach::Reach};
use super::{PasswordSource, Proof, Verdict, turns::Turns};
use crate::Method;

pub use self::{query::InvalidQuery, reach::AuthorityError};

/// How many logins are under way at the directory at a time, and how many more may wait.
const LOGINS_MAX: usize = 16;
const WAITING_MAX: usize = 256;
/// How long a login may take, waiting included: clients wait for it.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(15);
/// What stands in messages.
const WHAT: &str = "the LDAP directory";

/// The users of a directory.
pub struct Ldap {
    settings: Settings,
    query: Query,
    tasks: Tasks,
    directory: ArcSwap<Directory>,
    /// How often `directory` was exchanged; counted after it was.
    version: AtomicU64,
    turns: Turns,
}

/// A directory cannot be used as configured.
#[derive(Debug, thiserror::Error)]
pub enum LdapError {
    /// Users cannot be looked for.
    #[error("look for users as configured")]
    Query(#[from] InvalidQuery),
    /// The directory's certificate cannot be checked.
    #[error("use `caCert`")]
    Authority(#[from] AuthorityError),
    /// What the registry shows the directory cannot be read.
    #[error("use `credentialsFile`")]
    Credentials(#[from] ConfigError),
}

/// A login took too long.
#[derive(Debug, thiserror::Error)]
#[error("no answer in {} seconds", LOGIN_TIMEOUT.as_secs())]
struct TooSlow;

/// What is wrong with the files and filters of a configuration.
pub(crate) fn check(config: &Config) -> Vec<Problem> {
    let Some(settings) = &config.http.auth.ldap else { return Vec::new() };
    let path = KeyPath::of("http.auth.ldap");
    let problem = |key: &str, error: &(dyn std::error::Error + 'static)| Problem { path: path.key(key), message: chain(error).to_string() };
    let query = Query::new(settings).err().map(|error| match &error {
        InvalidQuery::Attribute(_) => problem("userAttribute", &error),
        InvalidQuery::Filter(_) => problem("userFilter", &error),
    });
    let authority = Reach::new(settings, &Tasks::new()).err().map(|error| problem("caCert", &error));
    let credentials = settings.bind_credentials().err().map(|error| problem("credentialsFile", &error));
    [query, authority, credentials].into_iter().flatten().collect()
}

impl Ldap {
    /// Users of the directory that `settings` describe. It need not be there yet. Its files are read again whenever they change, and looked at
    /// once in a `poll`; files that cannot be used any more change nothing.
    ///
    /// # Errors
    /// A file cannot be used, or users cannot be looked for as configured.
    pub fn open(settings: &Settings, poll: Duration, tasks: &Tasks) -> Result<Arc<Self>, LdapError> {
        let files: Vec<_> = [&settings.ca_cert, &settings.credentials_file].into_iter().flatten().cloned().collect();
        let changes = Arc::new(FileWatch::new(files.clone()));
        let query = Query::new(settings)?;
        let ldap = Arc::new(Self {
            directory: ArcSwap::from_pointee(directory(settings, &query, tasks)?),
            settings: settings.clone(),
            query,
            tasks: tasks.clone(),
            version: AtomicU64::new(0),
            turns: Turns::new(LOGINS_MAX, WAITING_MAX),
        });
        if !files.is_empty() {
            let watched = Arc::clone(&ldap);
            tasks.spawn("watch-ldap-files", changes.watch(poll, tasks.stop(), move || watched.read_again()));
        }
        Ok(ldap)
    }

    fn read_again(&self) {
        match directory(&self.settings, &self.query, &self.tasks) {
            Ok(directory) => {
                self.directory.store(Arc::new(directory));
                self.version.fetch_add(1, Ordering::AcqRel);
                tracing::info!("read the files for the ldap directory again");
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "could not use the files for the ldap directory, what they said before stays")
            }
        }
    }

    async fn login(&self, user: &str, password: &Secret) -> Verdict {
        let _turn = match self.turns.take().await {
            Ok(turn) => turn,
            Err(busy) => return Verdict::Unavailable { what: WHAT, source: busy.into() },
        };
        match self.directory.load_full().login(user, password).await {
            Ok(Some(found)) => {
                let groups = found.groups.into_iter().map(Into::into).collect();
                Verdict::Proved(Proof { groups, ..Proof::of_user(&found.name, Method::Ldap) })
            }
            Ok(None) => Verdict::Wrong,
            Err(error) => Verdict::Unavailable { what: WHAT, source: error.into() },
        }
    }
}

fn directory(settings: &Settings, query: &Query, tasks: &Tasks) -> Result<Directory, LdapError> {
    Ok(Directory::new(Reach::new(settings, tasks)?, query.clone(), settings.bind_credentials()?))
}

#[async_trait::async_trait]
impl PasswordSource for Arc<Ldap> {
    async fn check(&self, user: &str, password: &Secret) -> Verdict {
        let login = tokio::time::timeout(LOGIN_TIMEOUT, self.login(user, password)).await;
        login.unwrap_or_else(|_| Verdict::Unavailable { what: WHAT, source: TooSlow.into() })
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }
}

impl std::fmt::Debug for Ldap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ldap").field("directory", &self.directory).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
