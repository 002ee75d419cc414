//! Values that are read but never written out again.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{Found, Setting};

/// What stands in every output in place of a secret.
const MASK: &str = "******";

/// A password, key or token (or a URL that may hold one): no formatting or serialisation shows it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `value` from being shown.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The secret itself, for the one place that uses it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is no secret.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

impl Setting for Secret {
    const EMPTY_IS_ABSENT: bool = true;

    fn read(found: &Found<'_>) -> Option<Self> {
        match found.value {
            Value::String(text) => Some(Self(text.clone())),
            Value::Number(number) => Some(Self(number.to_string())),
            _ => {
                // What was found is not named: it may hold the secret.
                found.refuse("expected a string");
                None
            }
        }
    }

    fn show(&self) -> Value {
        Value::String(MASK.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_output_shows_a_secret() {
        let secret = Secret::new("hunter2");
        let outputs = [format!("{secret}"), format!("{secret:?}"), format!("{:#?}", Some(&secret)), secret.show().to_string()];
        let serialised = serde_json::to_string(&secret).unwrap();
        assert!(outputs.iter().chain([&serialised]).all(|output| !output.contains("hunter2")));
        assert_eq!(secret.reveal(), "hunter2");
    }
}
