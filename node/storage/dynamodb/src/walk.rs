//! Walking over all rows of a kind: a scan of their table, for work in the background.

use zot_storage::{
    Result,
    metadata::{Key, Kind, Row},
};

use crate::{
    DynamoMetadata,
    calls::Operation,
    item::{self, Item, PARTITION, SORT},
    place::{self, Place, Table},
};

impl DynamoMetadata {
    /// What one page of the table has of the kind; other rows may be in it as well.
    pub(crate) async fn walked(&self, kind: Kind, after: Option<&Key>) -> Result<(Vec<(Key, Row)>, Option<Key>)> {
        let name = self.tables.name(Table::from(kind));
        let request = self.connection.client.scan().table_name(name).consistent_read(true);
        let request = request.set_exclusive_start_key(after.map(|after| item::key(&Place::of(after))));
        let answer = self.connection.call(Operation::Scan, || request.clone().send()).await?;
        let mut rows = Vec::new();
        for item in answer.items.unwrap_or_default() {
            if let Some(key) = key(&item).filter(|key| kind.has(key)) {
                rows.push((key, item::row(item)?));
            }
        }
        Ok((rows, answer.last_evaluated_key.and_then(|last| key(&last))))
    }
}

fn key(item: &Item) -> Option<Key> {
    let text = |attribute: &str| item.get(attribute).and_then(|value| value.as_s().ok());
    place::key(text(PARTITION)?, text(SORT)?)
}
