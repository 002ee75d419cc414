//! The file as a tree of plain values, whatever its format: bounded in depth, no key twice, no number that is none.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// How deep objects and lists may nest; a real configuration needs about ten.
const NESTING_MAX: usize = 64;

/// How large a tree may grow, in bytes of text plus [`VALUE_COST`] for every value.
///
/// Far above what a configuration needs; it bounds what YAML's aliases can make of a small file.
const TREE_COST_MAX: usize = 64 * 1024 * 1024;

/// What a value costs besides its text; about its size in memory.
const VALUE_COST: usize = 32;

/// Reads a whole document.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    let left = Cell::new(TREE_COST_MAX);
    Tree { depth: 0, left: &left }.deserialize(deserializer)
}

/// Builds a tree below a given number of enclosing objects and lists.
#[derive(Clone, Copy)]
struct Tree<'a> {
    depth: usize,
    left: &'a Cell<usize>,
}

impl Tree<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == NESTING_MAX {
            return Err(E::custom(format_args!("nested deeper than {NESTING_MAX} levels")));
        }
        self.spend(0)?;
        Ok(Self { depth: self.depth + 1, ..self })
    }

    /// Takes the cost of a value with `text` bytes off what is left.
    fn spend<E: Error>(self, text: usize) -> Result<(), E> {
        let left = self.left.get().checked_sub(text.saturating_add(VALUE_COST));
        self.left.set(left.ok_or_else(|| E::custom("says more than any configuration does"))?);
        Ok(())
    }

    fn scalar<E: Error>(self, value: Value) -> Result<Value, E> {
        self.spend(value.as_str().map_or(0, str::len))?;
        Ok(value)
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, a list, a string, a number, a boolean or null")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.scalar(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.scalar(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.scalar(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        // JSON has no infinity: kept as text, such a number is refused where a number is expected instead of vanishing.
        self.scalar(serde_json::Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.scalar(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        self.scalar(Value::String(value))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.scalar(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.scalar(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let seed = self.deeper()?;
        let mut list = Vec::new();
        while let Some(element) = elements.next_element_seed(seed)? {
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let seed = self.deeper()?;
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("duplicate key {key:?}")));
            }
            self.spend(key.len())?;
            let value = entries.next_value_seed(seed)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

/// Whether any value stands anywhere below: a file of empty sections configures nothing.
pub(crate) fn has_leaf(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Object(entries) => entries.values().any(has_leaf),
        _ => true,
    }
}
