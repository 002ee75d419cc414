//! Walking over all rows of a kind: a scan of their table, for work in the background.

use zot_storage::{
    Error, Result,
    metadata::{Cursor, Key, Kind, Row},
};

use crate::{
    DynamoMetadata,
    calls::Operation,
    item::{self, Item},
    place::{self, Table},
};

/// Stands between the length of a partition, which says where its text ends, and that text.
const LENGTH_END: char = ':';

impl DynamoMetadata {
    /// What one page of the table has of the kind; other items may be in it as well, also at its end, and such as no release makes into a row.
    pub(crate) async fn walked(&self, kind: Kind, after: Option<&Cursor>) -> Result<(Vec<(Key, Row)>, Option<Cursor>)> {
        let name = self.tables.name(Table::from(kind));
        let request = self.connection.client.scan().table_name(name).consistent_read(true);
        let request = request.set_exclusive_start_key(after.map(start).transpose()?);
        let answer = self.connection.call(Operation::Scan, || request.clone().send()).await?;
        let mut rows = Vec::new();
        for item in answer.items.unwrap_or_default() {
            // A row of the kind that cannot be read is an error: who walks counts on having seen every one.
            if place::is_of(kind, &item::position(&item)?.0) {
                rows.push((item::row_key(&item)?, item::row(item)?));
            }
        }
        let last = answer.last_evaluated_key.filter(|key| !key.is_empty());
        Ok((rows, last.map(|last| cursor(&last)).transpose()?))
    }
}

/// The cursor that says where an item is, whatever it is.
fn cursor(item: &Item) -> Result<Cursor> {
    let (partition, sort) = item::position(item)?;
    Ok(Cursor::new(format!("{}{LENGTH_END}{partition}{sort}", partition.len())))
}

/// The key of the item that a cursor says the place of.
fn start(cursor: &Cursor) -> Result<Item> {
    let read = || {
        let (length, texts) = std::str::from_utf8(cursor.as_bytes()).ok()?.split_once(LENGTH_END)?;
        texts.split_at_checked(length.parse().ok()?)
    };
    let (partition, sort) = read().ok_or_else(|| Error::damaged("cursor of a walk", "it says no place in DynamoDB"))?;
    Ok(item::key_at(partition, sort))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_says_any_place() {
        for (partition, sort) in [("tables", "names"), ("links#a/b", "sha256:00"), ("7:ä#", "1:\u{0}"), ("", "")] {
            let item = item::key_at(partition, sort);
            assert_eq!(start(&cursor(&item).unwrap()).unwrap(), item);
        }
        for wrong in ["", "3", "x:ab", "9:ab", "-1:ab", "1:ä"] {
            assert!(start(&Cursor::new(wrong)).is_err(), "{wrong}");
        }
    }
}
