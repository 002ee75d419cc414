//! Changes that a client asked a cluster for, each of which is made once.
//!
//! A member that says nothing for some seconds is passed over, and another one is asked for the same. The first may only be stopped, right before
//! its transaction, and go on when the change was made by the other, acknowledged, and followed by others: then it would undo these. So
//! the transaction that completes a change writes a row under the operation's name and needs it to be absent. One attempt of all is applied;
//! whoever comes later finds the row, and that there is nothing left to be done.
//!
//! - *A refusal is an answer as well.* Who refuses what may have been attempted before writes the row first, so that no earlier attempt is
//!   applied after the client was told that none is.
//! - *Where a change takes several transactions*, the last one writes the row, and those before it that move tags need it to be absent. A tag of a
//!   push with more tags than a transaction has room for may be written twice, before the push is answered.
//! - *The row is kept* for as long as an attempt may possibly be under way. Calls are refused an hour and a half after a gateway vouched for them.

use std::time::Duration;

use prost::Message;
use zot_contract::{Context, Error, OperationId, Result};

use super::{Attempts, Engine};
use crate::metadata::{Change, Expect, Key, Outcome, Scan, Transaction, Write, rows::OperationRow};

/// How long it is remembered that an operation has ended. No process is stopped for so long and then goes on with it.
const REMEMBERED_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How many rows are read at a time.
const PAGE: usize = 1000;

/// When a client should try again whose change another member has refused.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Engine {
    /// What the transaction that completes the change of a call has besides.
    pub(super) fn ending(&self, cx: &Context) -> Option<Change> {
        cx.operation.map(|operation| self.ended(operation.id, false))
    }

    fn ended(&self, operation: OperationId, refused: bool) -> Change {
        let row = OperationRow { ended_unix_ms: self.wall.unix_ms(), refused };
        Change { key: Key::Operation(operation), expect: Expect::Absent, write: Write::Put(row.encode_to_vec().into()) }
    }

    /// Whether the change of a call is made, now that an attempt came to something. If not, and nothing refuses it, another one is due.
    pub(super) async fn is_made(&self, cx: &Context, attempts: &mut Attempts, tried: Result<Outcome>) -> Result<bool> {
        match (tried, cx.operation) {
            (Ok(Outcome::Committed), _) => Ok(true),
            (Ok(Outcome::Conflict), Some(operation)) => match self.outcome(operation.id).await? {
                Some(OperationRow { refused: false, .. }) => Ok(true),
                Some(OperationRow { refused: true, .. }) => Err(refused_before()),
                None => Ok(attempts.again().await.map(|()| false)?),
            },
            (Ok(Outcome::Conflict), None) => Ok(attempts.again().await.map(|()| false)?),
            (Err(error @ (Error::Unavailable { .. } | Error::Internal(_))), _) => Err(error),
            (Err(error), Some(operation)) if operation.again => self.refuse(operation.id, error).await.map(|()| true),
            (Err(error), _) => Err(error),
        }
    }

    /// Sees to it that no attempt is applied any more, and fails; unless one was applied.
    async fn refuse(&self, operation: OperationId, error: Error) -> Result<()> {
        let refusal = Transaction { changes: vec![self.ended(operation, true)] };
        if self.metadata.commit(refusal).await? == Outcome::Committed {
            return Err(error);
        }
        match self.outcome(operation).await? {
            Some(OperationRow { refused: false, .. }) => Ok(()),
            _ => Err(error),
        }
    }

    /// What became of an operation, if it has ended.
    async fn outcome(&self, operation: OperationId) -> crate::Result<Option<OperationRow>> {
        let key = Key::Operation(operation);
        self.metadata.get(&key).await?.map(|row| row.read(&key)).transpose()
    }

    /// Forgets operations that ended so long ago that nobody can still be at them. Returns how many.
    pub async fn forget_operations(&self) -> crate::Result<usize> {
        let limit_ms = self.wall.unix_ms().saturating_sub(u64::try_from(REMEMBERED_FOR.as_millis()).unwrap_or(u64::MAX));
        let (mut forgotten, mut after) = (0, None);
        loop {
            let rows = self.metadata.scan(&Scan::Operations(after), PAGE).await?;
            let last = rows.len() < PAGE;
            let mut old = Transaction::new();
            for (key, row) in rows {
                let Key::Operation(operation) = key else { continue };
                after = Some(operation);
                // By two clocks: that of the gateway which began it, and that of the member which ended it.
                if row.read::<OperationRow>(&key)?.ended_unix_ms < limit_ms {
                    old.delete(key, Expect::Anything);
                }
            }
            for some in old.changes.chunks(self.metadata.changes_max()) {
                self.metadata.commit(Transaction { changes: some.to_vec() }).await?;
            }
            forgotten += old.len();
            if last || after.is_none_or(|operation| operation.begun_unix_ms() > limit_ms) {
                return Ok(forgotten);
            }
        }
    }
}

/// A change that keeps a transaction from being applied after the operation that `ending` ends, and ends nothing itself.
pub(super) fn unended(ending: &Change) -> Change {
    Change { write: Write::Delete, ..ending.clone() }
}

fn refused_before() -> Error {
    crate::Error::unavailable("what another member of the cluster has refused meanwhile", AGAIN_AFTER, "ask again").into()
}
