//! A section: a fixed set of keys, matched whatever their case, each with a type and a default.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Found, Setting};
use crate::key_path::KeyPath;
use crate::nearest::nearest;
use crate::report::Report;

/// The keys of one object of the file that nobody has taken yet.
pub(crate) struct Section<'a> {
    path: KeyPath,
    report: &'a Report,
    entries: BTreeMap<String, (&'a str, &'a Value)>,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// Folds the keys of the object found; reports anything that is not an object and keys that differ only in case.
    pub(crate) fn open(found: &Found<'a>) -> Option<Self> {
        let Value::Object(object) = found.value else {
            found.expected("an object");
            return None;
        };
        let mut entries = BTreeMap::new();
        for (key, value) in object.iter().filter(|(_, value)| !value.is_null()) {
            if let Some((twin, _)) = entries.insert(fold(key), (key.as_str(), value)) {
                found.report.problem(&found.path.key(key), format!("the same key as `{twin}`: keys differ in more than case"));
            }
        }
        Some(Self { path: found.path.clone(), report: found.report, entries, known: Vec::new() })
    }

    /// Reads the value under the first of `keys`, the others being older names of it; `default` if it is absent or bad.
    pub(crate) fn take<T: Setting>(&mut self, keys: &[&'static str], default: T) -> T {
        let given: Vec<&Value> = keys.iter().filter_map(|key| self.entries.remove(&fold(key))).map(|(_, value)| value).collect();
        self.known.extend(keys);
        let Some(key) = keys.first() else { return default };
        let path = self.path.key(key);
        if given.len() > 1 {
            self.report.problem(&path, format!("given more than once, as {}", quoted(keys)));
        }
        given.first().and_then(|value| T::read(&Found { value, path: &path, report: self.report })).unwrap_or(default)
    }

    /// Accepts keys without a meaning.
    pub(crate) fn ignore(&mut self, keys: &[&'static str]) {
        for key in keys {
            self.entries.remove(&fold(key));
        }
    }

    /// Reports every key that was not taken.
    pub(crate) fn finish(self) {
        for (key, _) in self.entries.values() {
            self.report.problem(&self.path.key(key), unknown(key, &self.known));
        }
    }

    /// Warns of every key that was not taken: some sections are handed to drivers, whose older keys may still stand there.
    pub(crate) fn finish_leniently(self) {
        for (key, _) in self.entries.values() {
            self.report.warning(&self.path.key(key), format!("{}; it has no effect", unknown(key, &self.known)));
        }
    }
}

/// Keys are compared in lower case.
pub(crate) fn fold(key: &str) -> String {
    key.to_lowercase()
}

fn quoted(keys: &[&str]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" and ")
}

fn unknown(key: &str, known: &[&str]) -> String {
    nearest(key, known).map_or_else(|| "unknown key".to_owned(), |near| format!("unknown key, did you mean `{near}`?"))
}

/// A struct whose fields are the keys of a section.
pub(crate) trait Keys: Sized {
    /// Takes this struct's keys out of an open section; what is absent or bad has the value of `defaults`.
    fn take(section: &mut Section<'_>, defaults: Self) -> Self;

    /// Adds this struct's keys to what is shown.
    fn show_into(&self, shown: &mut Map<String, Value>);
}

/// Reads a whole section that consists of the keys of `T` and no others.
pub(crate) fn read<T: Keys>(found: &Found<'_>, defaults: T) -> Option<T> {
    let mut section = Section::open(found)?;
    let read = T::take(&mut section, defaults);
    section.finish();
    Some(read)
}

/// Shows the keys of `T` as an object.
pub(crate) fn show<T: Keys>(section: &T) -> Value {
    let mut shown = Map::new();
    section.show_into(&mut shown);
    Value::Object(shown)
}

/// Declares a section as one table: key, field, type and default of everything in it.
///
/// An older name that is still accepted follows the key after `or`.
macro_rules! section {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[$field_meta:meta])* $key:literal $(or $older:literal)* => $field:ident: $type:ty = $default:expr; )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $type, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        impl $crate::setting::section::Keys for $name {
            fn take(section: &mut $crate::setting::section::Section<'_>, defaults: Self) -> Self {
                Self { $( $field: section.take(&[$key $(, $older)*], defaults.$field), )* }
            }

            fn show_into(&self, shown: &mut serde_json::Map<String, serde_json::Value>) {
                $(
                    let value = $crate::setting::Setting::show(&self.$field);
                    if !value.is_null() {
                        shown.insert($key.to_owned(), value);
                    }
                )*
            }
        }

        impl $crate::setting::Setting for $name {
            fn read(found: &$crate::setting::Found<'_>) -> Option<Self> {
                $crate::setting::section::read(found, Self::default())
            }

            fn show(&self) -> serde_json::Value {
                $crate::setting::section::show(self)
            }
        }
    };
}
pub(crate) use section;
