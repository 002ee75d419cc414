//! What browsers need of access: sessions, and parties to log in at.

use std::sync::Arc;

use zot_config::{
    Config,
    http::auth::{SessionKeys, SessionPlace},
};
use zot_redis::{Connection, Room};

use crate::{
    OpenError, Surroundings,
    openid::Logins,
    sessions::{DirectoryStore, MemoryStore, RedisStore, SessionStore, Sessions},
};

/// Where one process keeps sessions, below the root directory of the default store.
const SESSIONS_DIRECTORY: &str = "_zot/sessions";
/// The most logins that are under way in one process at a time: where there are more, the oldest begin again.
const LOGINS_MAX: usize = 10_000;

/// What browsers need.
#[derive(Default)]
pub(crate) struct Browser {
    pub(crate) sessions: Option<Arc<Sessions>>,
    pub(crate) logins: Option<Logins>,
}

impl Browser {
    /// As `config` says; nothing where nobody logs in with a name.
    pub(crate) fn open(config: &Config, surroundings: &Surroundings) -> Result<Self, OpenError> {
        let (http, auth) = (&config.http, &config.http.auth);
        let stores = if auth.has_sessions() { stores(config, surroundings)? } else { None };
        let Some([sessions, logins]) = stores else { return Ok(Self::default()) };
        let keys = auth.session_keys().map_err(OpenError::SessionKeys)?;
        let secure = http.tls.is_some() || auth.secure_session.unwrap_or(false);
        let sessions = Arc::new(Sessions::new(sessions, keys.as_ref().and_then(SessionKeys::signing_key), secure));
        let open = |openid| Logins::open(http, openid, logins, Arc::clone(&sessions));
        let logins = auth.openid.as_ref().map(open).transpose()?;
        Ok(Self { sessions: Some(sessions), logins })
    }
}

/// The stores of sessions and of logins that are under way.
fn stores(config: &Config, surroundings: &Surroundings) -> Result<Option<[Arc<dyn SessionStore>; 2]>, OpenError> {
    Ok(match config.http.auth.session_place(config.cluster.as_ref()) {
        SessionPlace::Nowhere => None,
        SessionPlace::Files => {
            let directory = config.storage.default.root_directory.join(SESSIONS_DIRECTORY);
            let sessions = DirectoryStore::open(directory, &surroundings.tasks).map_err(|error| OpenError::Sessions(error.into()))?;
            Some([Arc::new(sessions), Arc::new(MemoryStore::new(LOGINS_MAX))])
        }
        SessionPlace::Redis(redis) => {
            let connection = Connection::open(&redis).map_err(|error| OpenError::Sessions(error.into()))?;
            let sessions = RedisStore::new(connection.clone(), Room::Sessions);
            Some([Arc::new(sessions), Arc::new(RedisStore::new(connection, Room::Logins))])
        }
    })
}
