//! A server that lets users in by everything that they can show, and the services that it needs for that.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};
use zot_services::Redis;
use zot_services::token_service::TokenService;

/// Who is in the file of users, and the password.
pub(crate) const USER: (&str, &str) = ("alice", "pw-alice");
/// The line of [`USER`], with bcrypt's usual cost.
const USERS: &str = "alice:$2y$05$eS1aorlxRnr0Eudh5V5bBORSe8v3HJEDxIIRmi7lLzOUiXYm4rO7i\n";
/// The repository that its tokens are for.
pub(crate) const REPOSITORY: &str = "bench/guests";

/// The services of one server; they end with it.
pub(crate) struct Guests {
    redis: Redis,
    tokens: TokenService,
}

impl fmt::Debug for Guests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guests").field("redis", &self.redis.port()).finish_non_exhaustive()
    }
}

impl Guests {
    /// Why they cannot be had here, if so.
    pub(crate) fn unavailable() -> Option<String> {
        Redis::available().err()
    }

    /// Starts them.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start a runtime")?;
        Ok(Self { redis: runtime.block_on(Redis::start()), tokens: TokenService::start() })
    }

    /// Adds what they are for to a configuration; files are written to `directory`.
    pub(crate) fn configure(&self, config: &str, directory: &Path) -> anyhow::Result<String> {
        let users = directory.join("htpasswd");
        fs::write(&users, USERS).with_context(|| format!("write {}", users.display()))?;
        let mut config: Value = serde_json::from_str(config).context("read the configuration")?;
        config["http"]["auth"] = json!({
            "htpasswd": {"path": users},
            "apikey": true,
            "bearer": self.tokens.section(),
            "sessionDriver": {"name": "redis", "url": self.redis.url()},
        });
        // Nobody in particular may do the same, so that what proving costs is told by the difference.
        let everything = ["read", "create", "update"];
        config["http"]["accessControl"] = json!({"repositories": {"**": {"anonymousPolicy": everything, "defaultPolicy": everything}}});
        Ok(config.to_string())
    }

    /// A token to pull what is in [`REPOSITORY`].
    pub(crate) fn token(&self) -> String {
        self.tokens.issue(REPOSITORY, &["pull"])
    }
}
