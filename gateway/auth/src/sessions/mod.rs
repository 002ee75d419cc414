//! Sessions of browsers: whoever logged in is known by a cookie, on every gateway, until two hours are over or they log out.
//!
//! The cookie holds a random number; everything else is in a store ([`SessionStore`]), under a key made from it. A session counts only with a
//! header that no page of another origin can make a browser send.

mod cookie;
mod directory;
mod id;
mod mark;
mod memory;
mod redis;
mod sealed;
mod session;
mod store;
#[cfg(test)]
mod suite;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use zot_config::Secret;
use zot_contract::Subject;

use self::{id::Signer, mark::Marks};
use crate::{Identity, Method, Rights, accounts::Accounts};

pub(crate) use self::{cookie::Cookie, id::Token};
pub use self::{
    directory::DirectoryStore,
    memory::MemoryStore,
    redis::RedisStore,
    sealed::SealedStore,
    session::{LoginMethod, Session},
    store::{SessionStore, StoreError, StoreKey},
};

/// The header by which zot's pages tell that a request is theirs. Other origins would have to ask for permission to send it.
pub const CLIENT: HeaderName = HeaderName::from_static("x-zot-api-client");
/// What they say in it.
const PAGES: &[u8] = b"zot-ui";
/// For how long a session lasts, whatever happens meanwhile.
pub const SESSION_LIFE: Duration = Duration::from_secs(2 * 60 * 60);
/// The age up to which whoever shows a password again keeps the session they have.
const KEPT_UP_TO: Duration = Duration::from_secs(60 * 60);
/// The cookie with the session.
const SESSION: &str = "session";
/// The cookie that tells the pages who is logged in.
const USER: &str = "user";
/// What a session's token is good for.
const PURPOSE: &str = "session";

/// Whether a request says that it comes from zot's pages.
pub fn is_from_pages(headers: &HeaderMap) -> bool {
    headers.get(CLIENT).is_some_and(|value| value.as_bytes() == PAGES)
}

/// What the cookies of a request lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// There is no cookie.
    Nothing,
    /// There is one that leads nowhere: it is old, or was made up.
    Stale,
    /// A session.
    Session(Session),
}

/// The sessions of a registry.
pub struct Sessions {
    store: Arc<dyn SessionStore>,
    signer: Option<Signer>,
    secure: bool,
    marks: Option<Marks>,
}

impl Sessions {
    /// Sessions that are kept in `store`. `secure` says whether browsers send their cookies over TLS only; with a `key` these are signed.
    pub fn new(store: Arc<dyn SessionStore>, key: Option<&Secret>, secure: bool) -> Self {
        Self { store, signer: key.and_then(Signer::new), secure, marks: None }
    }

    /// The same, which their users can end all at once: that is noted in `accounts`.
    #[must_use]
    pub fn marked_in(self, accounts: Arc<Accounts>) -> Self {
        Self { marks: Some(Marks::new(accounts)), ..self }
    }

    /// Whether browsers send cookies over TLS only.
    pub(crate) fn are_secure(&self) -> bool {
        self.secure
    }

    /// Begins a session under a fresh number, whatever the request shows; the one that it shows ends. Returns what the browser is told to keep.
    ///
    /// # Errors
    /// The store cannot keep it.
    pub async fn begin(&self, headers: &HeaderMap, session: &Session) -> Result<Vec<HeaderValue>, StoreError> {
        let session = match &self.marks {
            Some(marks) => marks.pass(session).await?,
            None => session.clone(),
        };
        let token = Token::random();
        let value = serde_json::to_vec(&session).map_err(|error| StoreError::new("write a session", error))?;
        self.store.create(&token.key(PURPOSE), &value, SESSION_LIFE).await?;
        self.end_quietly(headers).await;
        let shown = self.signer.as_ref().map_or_else(|| token.reveal().to_owned(), |signer| signer.sign(&token));
        Ok(vec![self.cookie(SESSION, &shown).set(), self.cookie(USER, &session.user).set()])
    }

    /// Begins a session for somebody who showed a password, unless they have one from the same login already.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub async fn begin_or_keep(&self, headers: &HeaderMap, session: &Session) -> Result<Vec<HeaderValue>, StoreError> {
        match self.find(headers).await? {
            Found::Session(kept) if kept.is_same_login(session) && kept.age() < KEPT_UP_TO => Ok(Vec::new()),
            _ => self.begin(headers, session).await,
        }
    }

    /// The session that a request shows.
    ///
    /// # Errors
    /// The store cannot tell.
    pub async fn find(&self, headers: &HeaderMap) -> Result<Found, StoreError> {
        if !cookie::has(headers, SESSION) {
            return Ok(Found::Nothing);
        }
        let Some(token) = self.shown(headers) else { return Ok(Found::Stale) };
        let found = self.store.find(&token.key(PURPOSE)).await?;
        let Some(session) = found.and_then(|value| Session::live(&value)) else { return Ok(Found::Stale) };
        let goes_on = match &self.marks {
            Some(marks) => marks.allow(&session).await?,
            None => true,
        };
        Ok(if goes_on { Found::Session(session) } else { Found::Stale })
    }

    /// Ends the session that a request shows, everywhere, and returns it.
    ///
    /// # Errors
    /// The store cannot be reached: it may go on.
    pub async fn end(&self, headers: &HeaderMap) -> Result<Option<Session>, StoreError> {
        let Some(token) = self.shown(headers) else { return Ok(None) };
        Ok(self.store.remove(&token.key(PURPOSE)).await?.and_then(|value| Session::live(&value)))
    }

    /// Ends all sessions of the user whose session a request shows: this one and all at this gateway at once, those at others after some seconds.
    /// Returns the one that is shown; without it there is nobody whose sessions could end.
    ///
    /// # Errors
    /// They may go on: whether there is a session cannot be told, or that they end cannot be noted.
    pub async fn end_all(&self, headers: &HeaderMap) -> Result<Option<Session>, StoreError> {
        let Found::Session(session) = self.find(headers).await? else { return Ok(None) };
        let marks = self.marks.as_ref().ok_or_else(|| StoreError::new("end all sessions of a user", "there are no records of users"))?;
        marks.end_until_now(&session).await?;
        self.end_quietly(headers).await;
        Ok(Some(session))
    }

    /// Ends a session that counts for nothing any more in any case.
    async fn end_quietly(&self, headers: &HeaderMap) {
        if let Err(error) = self.end(headers).await {
            tracing::warn!(error = %zot_runtime::telemetry::chain(&error), "a session that was left could not be removed");
        }
    }

    /// What a browser is told to forget that shows a session, on a request that then was from nobody in particular.
    pub(crate) fn forgotten_if_shown(&self, headers: &HeaderMap) -> Vec<HeaderValue> {
        if cookie::has(headers, SESSION) && !headers.contains_key(AUTHORIZATION) { self.forgotten() } else { Vec::new() }
    }

    /// Finds out who a request is from, if it shows a session.
    ///
    /// # Errors
    /// The store cannot tell.
    pub(crate) async fn identify(&self, headers: &HeaderMap) -> Result<Option<Identity>, StoreError> {
        let Found::Session(session) = self.find(headers).await? else { return Ok(None) };
        Ok(Some(Identity {
            subject: Subject::User(session.user.into()),
            groups: session.groups.into_iter().map(Arc::from).collect(),
            method: Method::Session,
            rights: Rights::OfUser,
            claims: None,
        }))
    }

    /// What a browser is told to forget.
    pub fn forgotten(&self) -> Vec<HeaderValue> {
        vec![self.cookie(SESSION, "").clear(), self.cookie(USER, "").clear()]
    }

    fn shown(&self, headers: &HeaderMap) -> Option<Token> {
        let text = cookie::find(headers, SESSION)?;
        self.signer.as_ref().map_or_else(|| Token::shown(text), |signer| signer.check(text))
    }

    fn cookie<'a>(&self, name: &'a str, value: &'a str) -> Cookie<'a> {
        Cookie { name, value, path: "/", life: SESSION_LIFE, secure: self.secure, hidden: name == SESSION }
    }
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let signed = self.signer.is_some();
        f.debug_struct("Sessions").field("store", &self.store).field("signed", &signed).field("secure", &self.secure).finish()
    }
}

/// The value of a cookie that a browser sends.
pub(crate) fn cookie_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    cookie::find(headers, name)
}
