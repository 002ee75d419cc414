//! A login between its two halves: begun by one gateway, ended by any, once, in the browser that began it, while it is fresh.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::error::LoginError;
use crate::sessions::{Cookie, SessionStore, StoreError, Token, cookie_of};

/// How long somebody may take to log in.
pub(super) const LOGIN_LIFE: Duration = Duration::from_secs(10 * 60);
/// What the state of a login is good for.
const PURPOSE: &str = "login";
/// What the browser's half is good for.
const BROWSER: &str = "browser";
/// What the names of the cookies begin with: each login has one, so that several may be under way in one browser.
const COOKIE: &str = "login-";
/// How many characters of a login's key its cookie is named by.
const NAME_CHARS: usize = 16;
/// Where the cookies are sent.
const PATH: &str = "/zot/auth/callback";

/// A login that is under way, as it is kept.
#[derive(Serialize, Deserialize)]
pub(super) struct Pending {
    /// Where the user logs in.
    pub(super) provider: String,
    /// What the identity token has to repeat.
    pub(super) nonce: String,
    /// What the code was asked for with.
    pub(super) verifier: String,
    /// Where the browser goes when it is done.
    pub(super) destination: Option<String>,
    /// What is kept of the browser's secret.
    browser: String,
}

/// Logins that are under way.
#[derive(Debug)]
pub(super) struct PendingLogins {
    store: Arc<dyn SessionStore>,
    secure: bool,
}

/// The secrets of a login: what the party is told and the browser brings back, and what the browser keeps.
pub(super) struct Secrets {
    state: Token,
    browser: Token,
}

impl Secrets {
    pub(super) fn random() -> Self {
        Self { state: Token::random(), browser: Token::random() }
    }

    /// What the party is told.
    pub(super) fn state(&self) -> String {
        self.state.reveal().to_owned()
    }
}

impl Pending {
    pub(super) fn new(provider: &str, nonce: &str, verifier: &str, destination: Option<String>) -> Self {
        let [provider, nonce, verifier] = [provider, nonce, verifier].map(str::to_owned);
        Self { provider, nonce, verifier, destination, browser: String::new() }
    }
}

impl PendingLogins {
    pub(super) fn new(store: Arc<dyn SessionStore>, secure: bool) -> Self {
        Self { store, secure }
    }

    /// Keeps a login until its browser is back. Returns what the browser is told to keep.
    pub(super) async fn begin(&self, pending: Pending, secrets: &Secrets) -> Result<HeaderValue, LoginError> {
        let pending = Pending { browser: secrets.browser.key(BROWSER).to_string(), ..pending };
        let value = serde_json::to_vec(&pending).map_err(|error| StoreError::new("write a login", error))?;
        self.store.create(&secrets.state.key(PURPOSE), &value, LOGIN_LIFE).await?;
        Ok(self.cookie(&name(&secrets.state), secrets.browser.reveal()).set())
    }

    /// Ends a login, if the request is from the browser that began it, and it was to be ended at `provider`. Returns it with what the browser is
    /// told to forget. Nobody else's request ends it.
    pub(super) async fn end(&self, state: &str, provider: &str, headers: &HeaderMap) -> Result<(Pending, HeaderValue), LoginError> {
        let state = Token::shown(state).ok_or(LoginError::Unknown)?;
        let name = name(&state);
        let browser = cookie_of(headers, &name).and_then(Token::shown).ok_or(LoginError::Unknown)?;
        let key = state.key(PURPOSE);
        let kept = self.store.find(&key).await?.and_then(|value| read(&value)).ok_or(LoginError::Unknown)?;
        let is_its_browser: bool = kept.browser.as_bytes().ct_eq(browser.key(BROWSER).to_string().as_bytes()).into();
        if !is_its_browser || kept.provider != provider {
            return Err(LoginError::Unknown);
        }
        // Of several who end it at once, one does.
        let ended = self.store.remove(&key).await?.and_then(|value| read(&value)).ok_or(LoginError::Unknown)?;
        Ok((ended, self.cookie(&name, "").clear()))
    }

    fn cookie<'a>(&self, name: &'a str, value: &'a str) -> Cookie<'a> {
        Cookie { name, value, path: PATH, life: LOGIN_LIFE, secure: self.secure, hidden: true }
    }
}

fn name(state: &Token) -> String {
    let mut name = state.key(PURPOSE).to_string();
    name.truncate(NAME_CHARS);
    format!("{COOKIE}{name}")
}

/// One that another release wrote differently is begun again.
fn read(value: &[u8]) -> Option<Pending> {
    serde_json::from_slice(value).ok()
}
