//! `http.auth.sessionDriver` and `sessionKeysFile`: where sessions are kept, and what their cookies are signed with.

use serde_json::{Map, Value};

use crate::cluster::Cluster;
use crate::extensions::Extensions;
use crate::key_path::KeyPath;
use crate::redis::Redis;
use crate::report::Report;
use crate::setting::secret::Secret;
use crate::setting::section::{Keys, Section, section};
use crate::setting::{Found, Setting};

use super::Auth;

/// What the keys of sessions begin with in Redis of their own, as zot's do.
const KEY_PREFIX: &str = "zotsession";

/// The lengths that a key for encryption may have, in bytes.
const ENCRYPT_KEY_BYTES: [usize; 3] = [16, 24, 32];

section! {
    /// The keys of a `sessionKeysFile`.
    pub struct SessionKeys {
        /// What cookies are signed with, 32 or 64 characters.
        "hashKey" => hash_key: Option<Secret> = None;
        /// What the store keeps of sessions and of logins under way is sealed with, 16, 24 or 32 characters. It signs cookies where there is no other
        /// key.
        "encryptKey" => encrypt_key: Option<Secret> = None;
    }
}

impl SessionKeys {
    /// What cookies are signed with.
    #[must_use]
    pub fn signing_key(&self) -> Option<&Secret> {
        self.hash_key.as_ref().or(self.encrypt_key.as_ref())
    }

    pub(super) fn check(&self, report: &Report) {
        if self.signing_key().is_none_or(Secret::is_empty) {
            report.problem(&KeyPath::root(), "must hold `hashKey`, of 32 or 64 characters");
        }
        if self.encrypt_key.as_ref().is_some_and(|key| !ENCRYPT_KEY_BYTES.contains(&key.reveal().len())) {
            report.problem(&KeyPath::of("encryptKey"), "must have 16, 24 or 32 characters");
        }
    }
}

/// Where sessions are kept by all that the configuration says.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionPlace {
    /// In files of this process.
    Files,
    /// In Redis.
    Redis(Box<Redis>),
    /// Nowhere: several processes have no place that all of them reach.
    Nowhere,
}

impl Auth {
    /// Whether people log in with what a browser then needs a session for.
    #[must_use]
    pub fn has_sessions(&self) -> bool {
        self.htpasswd.is_some() || self.ldap.is_some() || self.openid.is_some()
    }

    /// Where sessions are kept: in Redis that is named for them, else in that of the cluster.
    #[must_use]
    pub fn session_place(&self, cluster: Option<&Cluster>) -> SessionPlace {
        match (&self.session_driver, cluster) {
            (Some(SessionDriver::Redis(redis)), _) => {
                let mut redis = redis.clone();
                redis.key_prefix.get_or_insert_with(|| KEY_PREFIX.to_owned());
                SessionPlace::Redis(redis)
            }
            (_, None) => SessionPlace::Files,
            (None, Some(cluster)) => cluster.redis.clone().map_or(SessionPlace::Nowhere, |redis| SessionPlace::Redis(Box::new(redis))),
            (Some(SessionDriver::Local), Some(_)) => SessionPlace::Nowhere,
        }
    }

    /// Refuses what needs sessions where the processes of a cluster could not share them.
    pub(crate) fn check_shared_sessions(&self, cluster: Option<&Cluster>, extensions: &Extensions, report: &Report) {
        if self.session_place(cluster) != SessionPlace::Nowhere {
            return;
        }
        let path = KeyPath::of("http.auth");
        let needing = [
            (self.session_driver.is_some(), path.key("sessionDriver")),
            (self.openid.is_some(), path.key("openid")),
            (self.session_keys_file.is_some(), path.key("sessionKeysFile")),
            (self.has_sessions() && extensions.ui.is_some(), KeyPath::of("extensions.ui")),
        ];
        for (_, path) in needing.into_iter().filter(|(needs, _)| *needs) {
            let message =
                "the processes of a cluster share sessions through Redis: set `cluster.redis`, or `http.auth.sessionDriver` to redis";
            report.problem(&path, message);
        }
    }
}

/// Where sessions are kept.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionDriver {
    /// Beside the content, on local storage.
    Local,
    /// In Redis, for all processes of a cluster.
    Redis(Box<Redis>),
}

impl Setting for SessionDriver {
    fn read(found: &Found<'_>) -> Option<Self> {
        let mut section = Section::open(found)?;
        let name: String = section.take(&["name"], String::new());
        let refuse = |message: String| {
            found.report.unreadable(&found.path.key("name"), format!("invalid server config: {message}"));
            None
        };
        let driver = match name.as_str() {
            "local" => Self::Local,
            "redis" => Self::Redis(Box::new(Redis::take(&mut section, Redis::default()))),
            "" => return refuse("must provide session driver name!".to_owned()),
            other => return refuse(format!("session store driver {other} is not allowed!")),
        };
        section.finish_leniently();
        Some(driver)
    }

    fn show(&self) -> Value {
        let mut shown = Map::new();
        match self {
            Self::Local => {
                shown.insert("name".to_owned(), Value::from("local"));
            }
            Self::Redis(redis) => {
                shown.insert("name".to_owned(), Value::from("redis"));
                redis.show_into(&mut shown);
            }
        }
        Value::Object(shown)
    }
}
