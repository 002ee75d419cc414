//! Throwing every row away that can be read anew from the blob store.

use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;
use futures::{StreamExt, TryStreamExt, stream};
use zot_storage::{Result, metadata::Key};

use crate::{
    DynamoMetadata,
    calls::Operation,
    item::{self, Item, PARTITION, SORT},
    names::{NOTES, USERS},
    place::{Place, Table},
};

/// Rows that are deleted at the same time: some three thousand a second, of the four thousand that a table takes from its first day.
const DELETES_AT_ONCE: usize = 16;

impl DynamoMetadata {
    /// Removes every row, of every table, but what is known of users: that is nowhere else. Nobody else may be using them. Returns how many rows there were.
    ///
    /// The tables stay, and may have other names afterwards. Interrupted, it leaves a store that is not complete, and is to be run again.
    pub async fn erase(&self) -> Result<u64> {
        let schema = Place::of(&Key::Schema);
        self.remove(self.tables.name(Table::Version), item::key(&schema)).await?;
        let mut removed = 0;
        for name in self.tables.names() {
            removed += self.erase_table(name).await?;
        }
        Ok(removed)
    }

    async fn erase_table(&self, name: &str) -> Result<u64> {
        let mut removed = 0;
        let mut start = None;
        loop {
            let request = self.keys_request(name).set_exclusive_start_key(start);
            let answer = self.connection.call(Operation::Scan, || request.clone().send()).await?;
            let mut items = answer.items.unwrap_or_default();
            items.retain(|item| !is_of_user(item));
            removed += items.len() as u64;
            let removals = stream::iter(items).map(|item| self.remove(name, item::key_of(item)));
            removals.buffer_unordered(DELETES_AT_ONCE).try_collect::<()>().await?;
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(removed);
            }
        }
    }

    fn keys_request(&self, name: &str) -> ScanFluentBuilder {
        let request = self.connection.client.scan().table_name(name).consistent_read(true);
        let request = request.projection_expression("#partition, #sort");
        request.expression_attribute_names("#partition", PARTITION).expression_attribute_names("#sort", SORT)
    }

    async fn remove(&self, table: &str, key: Item) -> Result<()> {
        let request = self.connection.client.delete_item().table_name(table).set_key(Some(key));
        self.connection.call(Operation::DeleteItem, || request.clone().send()).await.map(drop)
    }
}

/// Whether an item tells something of a user, or where that is.
fn is_of_user(item: &Item) -> bool {
    let note = item::position(item).is_ok_and(|(partition, sort)| partition == NOTES && sort == USERS);
    note || matches!(item::row_key(item), Ok(Key::User(_)))
}
