//! Changing rows: every transaction is applied once or not at all, also where an attempt is not answered.
//!
//! An attempt that gets no answer may be lost, or applied, or be applied at any later time. So nothing is tried again that could then happen
//! twice, or after others have changed the rows:
//!
//! - Writing a row of a certain version, alone, is an `UpdateItem` (the cheapest call). Of all its attempts one at most is applied, because
//!   that version never comes back. If an attempt is refused after one that was not answered, the row is read: with the version that was to be
//!   written, it was. With another, nobody can tell, and the caller is told so.
//! - Everything else is a `TransactWriteItems` with a token: DynamoDB applies all attempts with one token once, for ten minutes from the first
//!   that it finishes, which is many times longer than attempts are made and, with their signatures' five minutes, than one can be on its way.
//!   That holds for deletes too: alone, a delete that finds nothing could not know whether it, or another, had deleted the row. It also holds
//!   for single rows that may be in any version, or absent: written late, they would undo what others did meanwhile.
//! - An unmet condition means a conflict if every earlier attempt was answered. After one that was not, it does only if it is a condition on a
//!   version: another may come to hold again, and the attempt still be applied.

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::{
        transact_write_items::builders::TransactWriteItemsFluentBuilder,
        update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    },
};
use zot_storage::{
    Error, Result,
    metadata::{Expect, Outcome, Transaction},
};

use crate::{
    CHANGES_MAX, DynamoMetadata,
    attempts::unavailable,
    calls::Operation,
    failure::{Failure, Kind, unmet},
    random::{random, token},
    statement::{Statement, UPDATE, merged},
};

impl DynamoMetadata {
    pub(crate) async fn apply(&self, transaction: Transaction) -> Result<Outcome> {
        if transaction.len() > CHANGES_MAX {
            let reason = format!("it has {} changes, {CHANGES_MAX} are possible", transaction.len());
            return Err(Error::remote("commit a transaction", reason));
        }
        let Some(changes) = merged(transaction.changes) else { return Ok(Outcome::Conflict) };
        let version = random();
        let statements = changes.into_iter().map(|change| Statement::new(&self.tables, change, version)).collect::<Result<Vec<_>>>()?;
        match statements.as_slice() {
            [] => Ok(Outcome::Committed),
            [one] if one.fences_itself() => self.update(one, version).await,
            _ => self.transact(statements).await,
        }
    }

    /// Writes a row of a certain version, giving it `version`.
    async fn update(&self, statement: &Statement, version: u64) -> Result<Outcome> {
        let request = self.update_request(statement);
        let mut attempts = self.connection.attempts(Operation::UpdateItem);
        loop {
            match attempts.make(request.clone().send()).await? {
                Ok(_) => return Ok(Outcome::Committed),
                Err(error) if !is_unmet(&error) => attempts.failed(error).await?,
                Err(_) if !attempts.unsure() => return Ok(Outcome::Conflict),
                Err(_) => return self.was_written(statement, version).await,
            }
        }
    }

    /// What became of a write after an attempt was not answered and another found the row changed.
    async fn was_written(&self, statement: &Statement, version: u64) -> Result<Outcome> {
        match self.row(&statement.key).await? {
            Some(row) if row.version == version => Ok(Outcome::Committed),
            _ => Err(unavailable(Failure::Undecided)),
        }
    }

    fn update_request(&self, statement: &Statement) -> UpdateItemFluentBuilder {
        let request = self.connection.client.update_item().table_name(&statement.table).set_key(Some(statement.item_key.clone()));
        request
            .update_expression(UPDATE)
            .set_condition_expression(statement.condition.clone())
            .set_expression_attribute_names(Some(statement.names.clone()))
            .set_expression_attribute_values(Some(statement.values.clone()))
    }

    /// Applies statements together.
    async fn transact(&self, statements: Vec<Statement>) -> Result<Outcome> {
        let expected: Vec<Expect> = statements.iter().map(|statement| statement.expect).collect();
        let request = self.transact_request(statements)?;
        let mut attempts = self.connection.attempts(Operation::TransactWriteItems);
        loop {
            let Err(error) = attempts.make(request.clone().send()).await? else { return Ok(Outcome::Committed) };
            let unmet = unmet(&error);
            if unmet.is_empty() {
                attempts.failed_as(Kind::of_transaction(&error), error).await?;
            } else if attempts.unsure() && !unmet.into_iter().any(|at| is_final(expected.get(at))) {
                return Err(unavailable(Failure::Undecided));
            } else {
                return Ok(Outcome::Conflict);
            }
        }
    }

    fn transact_request(&self, statements: Vec<Statement>) -> Result<TransactWriteItemsFluentBuilder> {
        let items = statements.into_iter().map(Statement::into_item).collect::<Result<_>>()?;
        Ok(self.connection.client.transact_write_items().client_request_token(token()).set_transact_items(Some(items)))
    }
}

fn is_unmet(error: &SdkError<UpdateItemError>) -> bool {
    matches!(error.as_service_error(), Some(UpdateItemError::ConditionalCheckFailedException(_)))
}

/// Whether a condition that did not hold never will.
fn is_final(expect: Option<&Expect>) -> bool {
    matches!(expect, Some(Expect::Version(_)))
}
