//! From when on the sessions of a user count: the mark that logging out everywhere leaves in the user's record.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use zot_contract::{UserName, UserRecord};

use super::{Session, StoreError};
use crate::{accounts::Accounts, now::now_unix_ms};

/// How far the clocks of gateways may be apart: a mark is so far ahead that it is later than all sessions that any of them began.
const CLOCKS_APART: Duration = Duration::from_secs(60);

/// The marks in the records of users.
#[derive(Debug, Clone)]
pub(super) struct Marks(Arc<Accounts>);

impl Marks {
    pub(super) fn new(accounts: Arc<Accounts>) -> Self {
        Self(accounts)
    }

    /// Whether a session began after its user last ended all of them, as was known some seconds ago at most.
    pub(super) async fn allow(&self, session: &Session) -> Result<bool, StoreError> {
        // Who can have no record never ended any.
        let Ok(user) = session.user.parse::<UserName>() else { return Ok(true) };
        let record = self.0.find(&user).await.map_err(|error| StoreError::new("ask whether a user ended all sessions", error))?;
        Ok(record.is_none_or(|record| session.begun_unix_ms >= record.sessions_valid_from_unix_ms))
    }

    /// The same session, begun after the mark: that is ahead for a while, and a login of now is no session from before.
    pub(super) async fn pass(&self, session: &Session) -> Result<Session, StoreError> {
        let mut session = session.clone();
        if let Ok(user) = session.user.parse::<UserName>() {
            let found = self.0.find_since(&user, Instant::now()).await;
            let record = found.map_err(|error| StoreError::new("ask from when on sessions of a user count", error))?;
            let mark = record.map_or(0, |record| record.sessions_valid_from_unix_ms);
            session.begun_unix_ms = session.begun_unix_ms.max(mark);
        }
        Ok(session)
    }

    /// Ends all sessions of a user that began until now, `session` among them: here at once, elsewhere after some seconds.
    pub(super) async fn end_until_now(&self, session: &Session) -> Result<(), StoreError> {
        const ACT: &str = "end all sessions of a user";
        let user = session.user.parse::<UserName>().map_err(|error| StoreError::new(ACT, error))?;
        let ahead = now_unix_ms().saturating_add(u64::try_from(CLOCKS_APART.as_millis()).unwrap_or(u64::MAX));
        let raise = |record: &mut UserRecord| {
            // Those that began at an earlier mark are over as well.
            let after_all = record.sessions_valid_from_unix_ms.max(session.begun_unix_ms).saturating_add(1);
            record.sessions_valid_from_unix_ms = ahead.max(after_all);
            Some(())
        };
        self.0.change(&user, raise).await.map(drop).map_err(|error| StoreError::new(ACT, error))
    }
}
