//! Optional values, lists, and maps whose keys are the user's own words.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Found, Setting};

impl<T: Setting> Setting for Option<T> {
    fn read(found: &Found<'_>) -> Option<Self> {
        if T::EMPTY_IS_ABSENT && found.value.as_str() == Some("") {
            return Some(None);
        }
        T::read(found).map(Some)
    }

    fn show(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::show)
    }
}

/// A single value stands for a list of one.
impl<T: Setting> Setting for Vec<T> {
    fn read(found: &Found<'_>) -> Option<Self> {
        let Value::Array(elements) = found.value else {
            return T::read(found).map(|element| vec![element]);
        };
        let read = |(index, value): (usize, &Value)| T::read(&Found { value, path: &found.path.index(index), ..*found });
        // Read all before giving up on one, so that every bad element is reported.
        let read: Vec<Option<T>> = elements.iter().enumerate().filter(|(_, value)| !value.is_null()).map(read).collect();
        read.into_iter().collect()
    }

    fn show(&self) -> Value {
        self.iter().map(T::show).collect()
    }
}

/// Keys keep the case they were written in: they are repository patterns, routes and names.
impl<T: Setting> Setting for BTreeMap<String, T> {
    fn read(found: &Found<'_>) -> Option<Self> {
        let Value::Object(entries) = found.value else {
            found.expected("an object");
            return None;
        };
        let read =
            |(name, value): (&String, &Value)| Some((name.clone(), T::read(&Found { value, path: &found.path.entry(name), ..*found })?));
        let read: Vec<Option<(String, T)>> = entries.iter().filter(|(_, value)| !value.is_null()).map(read).collect();
        read.into_iter().collect()
    }

    fn show(&self) -> Value {
        let entries: Map<String, Value> = self.iter().map(|(name, value)| (name.clone(), value.show())).collect();
        Value::Object(entries)
    }
}
