//! Rows as items: two attributes are the key, one is the value, one the version.

use std::collections::HashMap;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use zot_storage::{
    Error, Result,
    metadata::{Key, Row},
};

use crate::place::{self, Place};

/// Attributes by name.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The partition of a row, a text.
pub(crate) const PARTITION: &str = "Partition";
/// The place of a row in the order of its partition, a text.
pub(crate) const SORT: &str = "Sort";
/// The value of a row, binary.
pub(crate) const VALUE: &str = "Value";
/// The version of a row, a number.
pub(crate) const VERSION: &str = "Version";

/// The key of the item at a place.
pub(crate) fn key(place: &Place) -> Item {
    key_at(&place.partition, &place.sort)
}

/// The key of the item with these two texts.
pub(crate) fn key_at(partition: &str, sort: &str) -> Item {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    HashMap::from([(PARTITION.to_owned(), text(partition)), (SORT.to_owned(), text(sort))])
}

/// The key attributes of an item alone.
pub(crate) fn key_of(mut item: Item) -> Item {
    item.retain(|name, _| name == PARTITION || name == SORT);
    item
}

/// The two texts of an item's key.
pub(crate) fn position(item: &Item) -> Result<(String, String)> {
    let text = |name: &str| item.get(name)?.as_s().ok().cloned();
    text(PARTITION).zip(text(SORT)).ok_or_else(|| damaged(item, "its key is not text"))
}

/// The key that an item's place tells.
pub(crate) fn row_key(item: &Item) -> Result<Key> {
    let (partition, sort) = position(item)?;
    place::key(&partition, &sort).ok_or_else(|| damaged(item, "it is not where any row would be"))
}

/// The row that an item holds.
pub(crate) fn row(mut item: Item) -> Result<Row> {
    let version = item.get(VERSION).and_then(|version| version.as_n().ok()?.parse().ok());
    let version = version.ok_or_else(|| damaged(&item, "it has no version"))?;
    match item.remove(VALUE) {
        Some(AttributeValue::B(value)) => Ok(Row { value: Blob::into_inner(value).into(), version }),
        _ => Err(damaged(&item, "it has no value")),
    }
}

fn damaged(item: &Item, reason: &'static str) -> Error {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map_or("(no text)", String::as_str);
    Error::damaged(format!("row {} of partition {} in DynamoDB", text(SORT), text(PARTITION)), reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item() -> Item {
        let place = Place::of(&Key::Repository("a/b".parse().unwrap()));
        let mut item = key(&place);
        item.insert(VALUE.to_owned(), AttributeValue::B(Blob::new("x")));
        item.insert(VERSION.to_owned(), AttributeValue::N(u64::MAX.to_string()));
        item
    }

    #[test]
    fn an_item_is_a_row() {
        assert_eq!(row_key(&item()).unwrap(), Key::Repository("a/b".parse().unwrap()));
        assert_eq!(row(item()).unwrap(), Row { value: "x".into(), version: u64::MAX });
        assert_eq!(key_of(item()), key(&Place::of(&Key::Repository("a/b".parse().unwrap()))));
    }

    #[test]
    fn what_is_missing_is_an_error_that_names_the_row() {
        for name in [VALUE, VERSION] {
            let mut item = item();
            item.remove(name);
            assert_eq!(row(item).unwrap_err().to_string(), "row a/b of partition repositories in DynamoDB is damaged");
        }
        let mut item = item();
        item.insert(PARTITION.to_owned(), AttributeValue::S("strange".to_owned()));
        assert!(row_key(&item).is_err());
    }
}
