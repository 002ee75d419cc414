//! The handle: one link, made when it is needed, made anew when it broke, and commands on it.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use redis::{Cmd, FromRedisValue, RedisError, aio::ConnectionLike};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use zot_config::redis::Redis;

use crate::{
    backoff,
    dialer::Dialer,
    error::{Error, OpenError, Result, breaks},
    key::{DEFAULT_KEY_PREFIX, Key, Room},
    limits::Limits,
    link::Link,
};

/// Reads and removes in one step; the command of Redis that does so is younger than servers that are still about.
const TAKE: &str = "
local held = redis.call('GET', KEYS[1])
if held then redis.call('DEL', KEYS[1]) end
return held
";

/// A connection to Redis; clones share it.
#[derive(Clone, Debug)]
pub struct Connection(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dialer: Dialer,
    limits: Limits,
    prefix: String,
    state: Mutex<State>,
}

/// The link, or why there is none.
#[derive(Default)]
struct State {
    link: Option<Link>,
    /// Counts the links there have been, so that a late failure of an older one does not take the present one away.
    generation: u64,
    /// How often in a row connecting has failed.
    failures: u32,
    /// Until when nobody is to try again, and what was said the last time.
    resting: Option<(Instant, Error)>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("linked", &self.link.is_some()).field("failures", &self.failures).finish_non_exhaustive()
    }
}

impl Connection {
    /// Makes a connection of the settings. No server is asked: the first command connects.
    ///
    /// # Errors
    /// The settings cannot work, whatever the servers do.
    pub fn open(settings: &Redis) -> std::result::Result<Self, OpenError> {
        let faults = |problems: Vec<zot_config::Problem>| {
            OpenError::Settings(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        };
        let reach = settings.reach().map_err(faults)?;
        let limits = Limits::of(&reach.settings);
        let prefix = reach.settings.key_prefix.clone().unwrap_or_else(|| DEFAULT_KEY_PREFIX.to_owned());
        Ok(Self(Arc::new(Inner { dialer: Dialer::new(&reach, &limits)?, limits, prefix, state: Mutex::default() })))
    }

    /// The key of `id` in a room.
    #[must_use]
    pub fn key(&self, room: Room<'_>, id: impl fmt::Display) -> Key {
        Key::new(&self.0.prefix, room, id)
    }

    /// What every key begins with.
    pub(crate) fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// Whether a server answers now.
    pub async fn is_reachable(&self) -> bool {
        self.command("ask for a sign of life", &redis::cmd("PING")).await.map(|_: redis::Value| ()).is_ok()
    }

    /// What is under a key, if anything.
    pub async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        self.command("read a value", redis::cmd("GET").arg(key.as_str())).await
    }

    /// Puts a value under a key for as long as `expiry`, replacing what was there.
    pub async fn set(&self, key: &Key, value: &[u8], expiry: Duration) -> Result<()> {
        let mut command = redis::cmd("SET");
        command.arg(key.as_str()).arg(value).arg("PX").arg(milliseconds(expiry));
        self.command("write a value", &command).await
    }

    /// Removes what is under a key, if anything.
    pub async fn delete(&self, key: &Key) -> Result<()> {
        self.command("remove a value", redis::cmd("DEL").arg(key.as_str())).await
    }

    /// Removes what is under a key, and tells what it was: of several who do so at once, one is told.
    ///
    /// # Errors
    /// As every command; whoever then tries again may find that the first attempt removed it.
    pub async fn take(&self, key: &Key) -> Result<Option<Bytes>> {
        self.command("take a value", redis::cmd("EVAL").arg(TAKE).arg(1).arg(key.as_str())).await
    }

    /// Sends a command that may be done twice, and reads its answer.
    pub(crate) async fn command<T: FromRedisValue>(&self, act: &'static str, command: &Cmd) -> Result<T> {
        let command = Arc::new(command.clone());
        let ask = |mut link: Link| {
            let command = command.clone();
            async move { link.req_packed_command(&command).await }
        };
        let value = self.on_link(act, ask).await?;
        redis::from_redis_value(value).map_err(|error| Error::of(act, error.into()))
    }

    /// Does something that may be done twice on a link: again on a new one, where the first broke under it.
    pub(crate) async fn on_link<T, F>(&self, act: &'static str, ask: impl Fn(Link) -> F) -> Result<T>
    where
        F: Future<Output = redis::RedisResult<T>>,
    {
        let attempts = async {
            let mut attempt = 1;
            loop {
                let (link, generation) = self.0.link(act).await?;
                let (error, broken) = match timeout(self.0.limits.answer, ask(link)).await {
                    Ok(Ok(answer)) => return Ok(answer),
                    Ok(Err(error)) => (Error::of(act, error.clone()), breaks(&error)),
                    Err(_) => (Error::TimedOut { act }, true),
                };
                if broken {
                    self.0.forget(generation).await;
                }
                // Who got no answer in time has waited long enough.
                if !broken || attempt == self.0.limits.attempts || matches!(error, Error::TimedOut { .. }) {
                    return Err(error);
                }
                attempt += 1;
            }
        };
        timeout(self.0.limits.command(), attempts).await.unwrap_or(Err(Error::TimedOut { act }))
    }
}

impl Inner {
    /// The link, made if there is none. While one caller connects, the others wait for its outcome; after a failure all are refused until
    /// the servers have had their rest.
    async fn link(&self, act: &'static str) -> Result<(Link, u64)> {
        let mut state = self.state.lock().await;
        if let Some(link) = &state.link {
            return Ok((link.clone(), state.generation));
        }
        if let Some((until, error)) = &state.resting
            && Instant::now() < *until
        {
            return Err(error.during(act));
        }
        match self.dial(act).await {
            Ok(link) => {
                *state = State { link: Some(link.clone()), generation: state.generation + 1, ..State::default() };
                Ok((link, state.generation))
            }
            Err(error) => {
                state.failures = state.failures.saturating_add(1);
                let rest = backoff::pause(&self.limits, state.failures, backoff::chance());
                state.resting = Some((Instant::now() + rest, error.clone()));
                Err(error)
            }
        }
    }

    async fn dial(&self, act: &'static str) -> Result<Link> {
        match timeout(self.limits.dial, self.dialer.dial()).await {
            Ok(linked) => linked.map_err(|source: RedisError| Error::Unreachable { act, source: Arc::new(source) }),
            Err(_) => Err(Error::TimedOut { act }),
        }
    }

    /// Drops a link that broke.
    async fn forget(&self, generation: u64) {
        let mut state = self.state.lock().await;
        if state.generation == generation && state.link.take().is_some() {
            tracing::debug!(generation, "the link to Redis broke");
        }
    }
}

/// Redis counts in milliseconds, and refuses none.
pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).clamp(1, i64::MAX as u64 / 4)
}
