//! What browsers need of access: sessions, and parties to log in at.

use std::sync::Arc;

use zot_config::{
    Config, KeyPath, Problem, Secret,
    http::auth::{SessionDriver, SessionKeys, SessionPlace},
};
use zot_redis::{Connection, Room};
use zot_runtime::telemetry::chain;

use crate::{
    OpenError, Surroundings,
    accounts::Accounts,
    openid::Logins,
    sessions::{DirectoryStore, MemoryStore, RedisStore, SealedStore, SessionStore, Sessions, StoreError},
};

/// Where one process keeps sessions, below the root directory of the default store.
const SESSIONS_DIRECTORY: &str = "_zot/sessions";

/// What browsers need.
#[derive(Default)]
pub(crate) struct Browser {
    pub(crate) sessions: Option<Arc<Sessions>>,
    pub(crate) logins: Option<Logins>,
}

/// What is wrong with the Redis of sessions and with that of the cluster.
pub(crate) fn check(config: &Config) -> Vec<Problem> {
    let own = match &config.http.auth.session_driver {
        Some(SessionDriver::Redis(redis)) => Some(("http.auth.sessionDriver", redis.as_ref())),
        _ => None,
    };
    let shared = config.cluster.as_ref().and_then(|cluster| cluster.redis.as_ref()).map(|redis| ("cluster.redis", redis));
    let unusable = |(path, redis): (&str, _)| {
        let error = Connection::open(redis).err()?;
        Some(Problem { path: KeyPath::of(path), message: chain(&error).to_string() })
    };
    own.into_iter().chain(shared).filter_map(unusable).collect()
}

impl Browser {
    /// As `config` says; nothing where nobody logs in with a name.
    pub(crate) fn open(config: &Config, surroundings: &Surroundings, accounts: &Arc<Accounts>) -> Result<Self, OpenError> {
        let (http, auth) = (&config.http, &config.http.auth);
        let stores = if auth.has_sessions() { stores(config, surroundings)? } else { None };
        let Some(stores) = stores else { return Ok(Self::default()) };
        let keys = auth.session_keys().map_err(OpenError::SessionKeys)?;
        let [sessions, logins] = match keys.as_ref().and_then(|keys| keys.encrypt_key.as_ref()) {
            Some(secret) => sealed(stores, secret).map_err(|error| OpenError::Sessions(error.into()))?,
            None => stores,
        };
        let secure = http.tls.is_some() || auth.secure_session.unwrap_or(false);
        let sessions = Sessions::new(sessions, keys.as_ref().and_then(SessionKeys::signing_key), secure);
        let sessions = Arc::new(sessions.marked_in(Arc::clone(accounts)));
        let open = |openid| Logins::open(http, openid, logins, Arc::clone(&sessions));
        let logins = auth.openid.as_ref().map(open).transpose()?;
        Ok(Self { sessions: Some(sessions), logins })
    }
}

/// The stores, sealed under a secret.
fn sealed(stores: [Arc<dyn SessionStore>; 2], secret: &Secret) -> Result<[Arc<dyn SessionStore>; 2], StoreError> {
    let [sessions, logins] = stores.map(|store| SealedStore::new(store, secret));
    Ok([Arc::new(sessions?), Arc::new(logins?)])
}

/// The stores of sessions and of logins that are under way.
fn stores(config: &Config, surroundings: &Surroundings) -> Result<Option<[Arc<dyn SessionStore>; 2]>, OpenError> {
    Ok(match config.http.auth.session_place(config.cluster.as_ref()) {
        SessionPlace::Nowhere => None,
        SessionPlace::Files => {
            let directory = config.storage.default.root_directory.join(SESSIONS_DIRECTORY);
            let sessions = DirectoryStore::open(directory, &surroundings.tasks).map_err(|error| OpenError::Sessions(error.into()))?;
            Some([Arc::new(sessions), Arc::<MemoryStore>::clone(&surroundings.logins)])
        }
        SessionPlace::Redis(redis) => {
            let connection = Connection::open(&redis).map_err(|error| OpenError::Sessions(error.into()))?;
            let sessions = RedisStore::new(connection.clone(), Room::Sessions);
            Some([Arc::new(sessions), Arc::new(RedisStore::new(connection, Room::Logins))])
        }
    })
}
