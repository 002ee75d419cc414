//! Changes that a client asked a cluster for, each of which is made once.
//!
//! A member that says nothing for some seconds is passed over, and another one is asked for the same. The first may only be stopped, right before
//! its transaction, and go on when the change was made by the other, acknowledged, and followed by others: then it would undo these. So
//! the transaction that completes a change writes a row under the operation's name and needs it to be absent. One attempt of all is applied;
//! whoever comes later finds the row, and that there is nothing left to be done.
//!
//! - *A refusal is an answer as well.* Who refuses what may have been attempted before writes the row first, so that no earlier attempt is
//!   applied after the client was told that none is.
//! - *What can be made twice without harm*, a mount or the end of an upload, is not remembered by its first attempt, which needs the row to be absent
//!   and leaves it at that: only who comes after another writes it, also if what was asked for is there already. So it costs no row where nobody is
//!   passed over, and still no blob comes back that was deleted after another member had answered.
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

    /// The same for a change that can be made twice as long as nobody has answered it.
    pub(super) fn ending_if_again(&self, cx: &Context) -> Option<Change> {
        let ending = self.ending(cx)?;
        Some(if cx.operation.is_some_and(|operation| operation.again) { ending } else { unended(&ending) })
    }

    fn ended(&self, operation: OperationId, refused: bool) -> Change {
        let row = OperationRow { ended_unix_ms: self.wall.unix_ms(), refused };
        Change { key: Key::Operation(operation), expect: Expect::Absent, write: Write::Put(row.encode_to_vec().into()) }
    }

    /// Whether the change of a call is made, now that an attempt came to something. If not, and nothing refuses it, another one is due.
    pub(super) async fn is_made(&self, cx: &Context, attempts: &mut Attempts, tried: Result<Outcome>) -> Result<bool> {
        match tried {
            Ok(Outcome::Committed) => Ok(true),
            Ok(Outcome::Conflict) if self.was_made(cx).await? => Ok(true),
            Ok(Outcome::Conflict) => Ok(attempts.again().await.map(|()| false)?),
            Err(error) => self.refuse(cx, error).await.map(|()| true),
        }
    }

    /// Whether another attempt at the change of a call has made it. Fails if it was refused.
    pub(super) async fn was_made(&self, cx: &Context) -> crate::Result<bool> {
        let Some(operation) = cx.operation else { return Ok(false) };
        match self.outcome(operation.id).await? {
            Some(OperationRow { refused: true, .. }) => Err(refused_before()),
            ended => Ok(ended.is_some()),
        }
    }

    /// Fails with what keeps an attempt from being made, unless another one was. If the failure tells that there is nothing to be made, none is
    /// applied any more.
    pub(super) async fn refuse(&self, cx: &Context, error: Error) -> Result<()> {
        if matches!(error, Error::Unavailable { .. } | Error::Internal(_) | Error::UploadBusy { .. }) || self.withdraw(cx).await? {
            return Err(error);
        }
        Ok(())
    }

    /// Sees to it that no attempt at the change of a call is applied any more. Returns whether none was.
    pub(super) async fn withdraw(&self, cx: &Context) -> crate::Result<bool> {
        let Some(operation) = cx.operation.filter(|operation| operation.again) else { return Ok(true) };
        let refusal = Transaction { changes: vec![self.ended(operation.id, true)] };
        if self.metadata.commit(refusal).await? == Outcome::Committed {
            return Ok(true);
        }
        Ok(self.outcome(operation.id).await?.is_none_or(|ended| ended.refused))
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

fn refused_before() -> crate::Error {
    crate::Error::unavailable("what another member of the cluster has refused meanwhile", AGAIN_AFTER, "ask again")
}
