//! Changes of rows as statements of DynamoDB, with the conditions under which they are applied.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    error::BuildError,
    primitives::Blob,
    types::{AttributeValue, Delete, TransactWriteItem, Update},
};
use zot_storage::{
    Error, Result,
    metadata::{Change, Expect, Key, Write},
};

use crate::{
    item::{self, Item, PARTITION, SORT, VALUE, VERSION},
    place::Place,
    tables::Tables,
};

/// The most bytes of an item, its key and the names of its attributes among them. (DynamoDB, "Quotas": 400 KB.)
const ITEM_BYTES_MAX: usize = 400 << 10;

/// What an item has besides key and value: the names of its attributes, and a number of 19 digits.
const ITEM_BYTES_MORE: usize = PARTITION.len() + SORT.len() + VALUE.len() + VERSION.len() + 21;

/// Writes value and version.
pub(crate) const UPDATE: &str = "SET #value = :value, #version = :version";

/// A change of one row.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) key: Key,
    pub(crate) expect: Expect,
    pub(crate) table: String,
    pub(crate) item_key: Item,
    pub(crate) condition: Option<String>,
    pub(crate) names: HashMap<String, String>,
    pub(crate) values: Item,
    puts: bool,
}

/// Changes with those of one row made one, for DynamoDB takes no two: all its conditions, and what is written last, as in other stores. None if
/// the conditions of a row contradict each other.
pub(crate) fn merged(changes: Vec<Change>) -> Option<Vec<Change>> {
    let mut merged: HashMap<Key, Change> = HashMap::with_capacity(changes.len());
    for change in changes {
        let expect = match merged.get(&change.key) {
            Some(earlier) => both(earlier.expect, change.expect)?,
            None => change.expect,
        };
        merged.insert(change.key.clone(), Change { expect, ..change });
    }
    Some(merged.into_values().collect())
}

fn both(one: Expect, other: Expect) -> Option<Expect> {
    match (one, other) {
        (Expect::Anything, expect) | (expect, Expect::Anything) => Some(expect),
        (Expect::Present, Expect::Version(version)) | (Expect::Version(version), Expect::Present) => Some(Expect::Version(version)),
        (one, other) => (one == other).then_some(one),
    }
}

impl Statement {
    /// The statement that applies `change` and gives the row `version`.
    pub(crate) fn new(tables: &Tables, change: Change, version: u64) -> Result<Self> {
        let place = Place::of(&change.key);
        let mut statement = Self {
            key: change.key,
            expect: change.expect,
            table: tables.name(place.table).to_owned(),
            item_key: item::key(&place),
            condition: None,
            names: HashMap::new(),
            values: HashMap::new(),
            puts: false,
        };
        statement.expect(change.expect);
        if let Write::Put(value) = change.write {
            statement.check_size(place.partition.len() + place.sort.len() + value.len())?;
            statement.put(&value, version);
        }
        Ok(statement)
    }

    fn expect(&mut self, expect: Expect) {
        let (attribute, condition) = match expect {
            Expect::Anything => return,
            Expect::Absent => (("#partition", PARTITION), "attribute_not_exists(#partition)"),
            Expect::Present => (("#partition", PARTITION), "attribute_exists(#partition)"),
            Expect::Version(version) => {
                self.values.insert(":expected".to_owned(), AttributeValue::N(version.to_string()));
                (("#version", VERSION), "#version = :expected")
            }
        };
        self.name(attribute);
        self.condition = Some(condition.to_owned());
    }

    fn put(&mut self, value: &[u8], version: u64) {
        self.name(("#value", VALUE));
        self.name(("#version", VERSION));
        self.values.insert(":value".to_owned(), AttributeValue::B(Blob::new(value)));
        self.values.insert(":version".to_owned(), AttributeValue::N(version.to_string()));
        self.puts = true;
    }

    fn name(&mut self, (placeholder, attribute): (&str, &str)) {
        self.names.insert(placeholder.to_owned(), attribute.to_owned());
    }

    fn check_size(&self, bytes: usize) -> Result<()> {
        let bytes = bytes + ITEM_BYTES_MORE;
        if bytes <= ITEM_BYTES_MAX {
            return Ok(());
        }
        let reason = format!("the row would have {bytes} bytes, DynamoDB takes {ITEM_BYTES_MAX}");
        Err(Error::remote(format!("write the row of {:?}", self.key), reason))
    }

    /// Whether it can be applied once at most, however often it is tried: it writes a row of a certain version, which never comes back.
    pub(crate) fn fences_itself(&self) -> bool {
        self.puts && matches!(self.expect, Expect::Version(_))
    }

    /// The statement as a part of a transaction.
    pub(crate) fn into_item(self) -> Result<TransactWriteItem> {
        let item = TransactWriteItem::builder();
        let built =
            if self.puts { self.update().map(|update| item.update(update)) } else { self.delete().map(|delete| item.delete(delete)) };
        Ok(built.map_err(|error| Error::remote("build a transaction of DynamoDB", error))?.build())
    }

    fn update(self) -> std::result::Result<Update, BuildError> {
        Update::builder()
            .table_name(self.table)
            .set_key(Some(self.item_key))
            .update_expression(UPDATE)
            .set_condition_expression(self.condition)
            .set_expression_attribute_names(Some(self.names))
            .set_expression_attribute_values(Some(self.values))
            .build()
    }

    fn delete(self) -> std::result::Result<Delete, BuildError> {
        Delete::builder()
            .table_name(self.table)
            .set_key(Some(self.item_key))
            .set_condition_expression(self.condition)
            .set_expression_attribute_names((!self.names.is_empty()).then_some(self.names))
            .set_expression_attribute_values((!self.values.is_empty()).then_some(self.values))
            .build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str, expect: Expect, write: Write) -> Change {
        Change { key: Key::Repository(name.parse().unwrap()), expect, write }
    }

    fn merge(one: Expect, other: Expect) -> Option<Expect> {
        let merged = merged(vec![change("a", one, Write::Put("1".into())), change("a", other, Write::Delete)])?;
        assert!(matches!(&merged[..], [Change { write: Write::Delete, .. }]));
        Some(merged[0].expect)
    }

    #[test]
    fn changes_of_one_row_become_one() {
        for expect in [Expect::Anything, Expect::Absent, Expect::Present, Expect::Version(1)] {
            assert_eq!(merge(expect, expect), Some(expect));
            assert_eq!((merge(Expect::Anything, expect), merge(expect, Expect::Anything)), (Some(expect), Some(expect)));
        }
        assert_eq!(merge(Expect::Present, Expect::Version(1)), Some(Expect::Version(1)));
    }

    #[test]
    fn conditions_that_contradict_each_other_never_hold() {
        assert_eq!(merge(Expect::Absent, Expect::Present), None);
        assert_eq!(merge(Expect::Version(1), Expect::Absent), None);
        assert_eq!(merge(Expect::Version(1), Expect::Version(2)), None);
    }

    #[test]
    fn changes_of_other_rows_stay_apart() {
        let changes = ["a", "b"].map(|name| change(name, Expect::Absent, Write::Put("1".into())));
        assert_eq!(merged(changes.to_vec()).unwrap().len(), 2);
    }
}
