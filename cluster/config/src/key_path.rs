//! Where in the configuration a value stands, written the way a reader would say it.

use std::fmt;

/// A place in the configuration: `http.tls.cert`, `storage.subPaths["/a"].gc`, `http.ratelimit.methods[0].rate`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPath(String);

impl KeyPath {
    /// Whether it is `section`, or somewhere in it.
    #[must_use]
    pub fn is_within(&self, section: &Self) -> bool {
        self.0.strip_prefix(&section.0).is_some_and(|rest| rest.is_empty() || section.0.is_empty() || rest.starts_with(['.', '[']))
    }

    /// The configuration as a whole.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// The place a dotted path of keys names.
    #[must_use]
    pub fn of(dotted: &str) -> Self {
        Self(dotted.to_owned())
    }

    /// The value under `key` of the section standing here.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        if self.0.is_empty() {
            return Self(key.to_owned());
        }
        Self(format!("{}.{key}", self.0))
    }

    /// The entry `name` of the map standing here; such names are the user's data and are quoted.
    #[must_use]
    pub fn entry(&self, name: &str) -> Self {
        Self(format!("{}[{name:?}]", self.0))
    }

    /// The element at `index` of the list standing here.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// The path as text, empty for the root.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "(root)" } else { &self.0 })
    }
}
