//! Users of an htpasswd file, which is read again when it changes.

mod hash;
mod users;

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use zot_config::{Config, KeyPath, Problem, Secret};
use zot_runtime::{file_watch::FileWatch, tasks::Tasks, telemetry::chain};

use self::users::{Complaint, Users};
use super::{PasswordSource, Proof, Verdict, hashing::Hashing};
use crate::{Method, api_keys::KnownUsers};

/// Largest file read, in bytes: tens of thousands of users.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How many wrong lines are told of one by one.
const COMPLAINTS_LOGGED_MAX: usize = 20;

/// The users of a file.
#[derive(Debug)]
pub struct Htpasswd(Arc<UserFile>);

/// The htpasswd file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("read htpasswd file `{}`", path.display())]
pub struct HtpasswdError {
    /// The file.
    path: PathBuf,
    /// What the system said.
    #[source]
    source: io::Error,
}

/// What the file said when it was last read well.
#[derive(Debug)]
struct UserFile {
    path: PathBuf,
    users: ArcSwap<Users>,
    /// How often `users` was exchanged; counted after it was.
    version: AtomicU64,
    changes: Arc<FileWatch>,
    hashing: Hashing,
}

impl Htpasswd {
    /// Reads the file, and again whenever it changes; it is looked at once in a `poll`. A file that cannot be read any more changes nothing.
    ///
    /// # Errors
    /// The file cannot be read, or is too large.
    pub fn open(path: PathBuf, poll: Duration, tasks: &Tasks) -> Result<Self, HtpasswdError> {
        let file = Arc::new(UserFile {
            changes: Arc::new(FileWatch::new(vec![path.clone()])),
            users: ArcSwap::default(),
            version: AtomicU64::new(0),
            hashing: Hashing::new(),
            path,
        });
        file.read()?;
        let watched = Arc::clone(&file);
        let watch = Arc::clone(&file.changes).watch(poll, tasks.stop(), move || watched.read_again());
        tasks.spawn("watch-htpasswd", watch);
        Ok(Self(file))
    }

    /// Who is in the file, as it was last read well.
    pub fn known_users(&self) -> Arc<dyn KnownUsers> {
        Arc::clone(&self.0) as Arc<dyn KnownUsers>
    }
}

/// Warns of the lines of a configuration's file that let nobody in; a file that cannot be read is told of elsewhere.
pub(crate) fn check(config: &Config) -> Option<Problem> {
    let path = &config.http.auth.htpasswd.as_ref()?.path;
    match contents(path) {
        Ok(text) => {
            let (users, complaints) = Users::parse(&text);
            complain(path, &users, &complaints);
            None
        }
        Err(error) if error.source.kind() != io::ErrorKind::FileTooLarge => None,
        Err(error) => Some(Problem { path: KeyPath::of("http.auth.htpasswd.path"), message: chain(&error).to_string() }),
    }
}

impl UserFile {
    fn read(&self) -> Result<(), HtpasswdError> {
        let (users, complaints) = Users::parse(&contents(&self.path)?);
        complain(&self.path, &users, &complaints);
        self.users.store(Arc::new(users));
        self.version.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    fn read_again(&self) {
        let path = self.path.display();
        match self.read() {
            Ok(()) => tracing::info!(%path, users = self.users.load().usable(), "read the htpasswd file again"),
            Err(error) => {
                tracing::warn!(%path, error = %chain(&error), "could not read the htpasswd file again, the users it had stay");
            }
        }
    }
}

fn complain(path: &Path, users: &Users, complaints: &[Complaint]) {
    let path = path.display();
    for Complaint { line, reason } in complaints.iter().take(COMPLAINTS_LOGGED_MAX) {
        tracing::warn!(%path, line, error = %reason, "line {line} of the htpasswd file lets nobody in");
    }
    if let Some(more) = complaints.len().checked_sub(COMPLAINTS_LOGGED_MAX).filter(|more| *more > 0) {
        tracing::warn!(%path, more, "{more} more lines of the htpasswd file let nobody in");
    }
    if users.usable() == 0 {
        tracing::warn!(%path, "the htpasswd file lets nobody in");
    }
}

fn contents(path: &Path) -> Result<Vec<u8>, HtpasswdError> {
    let failed = |source| HtpasswdError { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= FILE_BYTES_MAX) {
        return Ok(bytes);
    }
    Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {FILE_BYTES_MAX} bytes"))))
}

impl KnownUsers for UserFile {
    fn is_known(&self, user: &str) -> bool {
        self.users.load().has(user)
    }
}

#[async_trait::async_trait]
impl PasswordSource for Htpasswd {
    async fn check(&self, user: &str, password: &Secret) -> Verdict {
        let users = self.0.users.load_full();
        let Some((hash, own)) = users.hash_for(user) else { return Verdict::Wrong };
        if !hash.takes(password.reveal()) {
            return Verdict::Wrong;
        }
        let (hash, password) = (hash.clone(), password.clone());
        match self.0.hashing.run(move || hash.verify(password.reveal())).await {
            Ok(true) if own => Verdict::Proved(Proof::of_user(user, Method::Htpasswd)),
            Ok(_) => Verdict::Wrong,
            Err(error) => Verdict::Unavailable { what: "the htpasswd file", source: error.into() },
        }
    }

    fn version(&self) -> u64 {
        self.0.version.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests;
