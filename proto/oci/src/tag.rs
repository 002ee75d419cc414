//! Tags: human-readable pointers to manifests.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

/// The longest tag, in characters (distribution-spec 1.1, "Pulling manifests").
pub const TAG_LENGTH_MAX: usize = 128;

/// A tag that matches `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`. Cloning is cheap; order is bytewise, the order of listings.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Arc<str>);

/// A string is not a tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid tag `{text}`: expected 1 to {TAG_LENGTH_MAX} letters, digits, `_`, `.` or `-`, not starting with `.` or `-`")]
pub struct InvalidTag {
    text: String,
}

impl Tag {
    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = InvalidTag;

    fn from_str(text: &str) -> Result<Self, InvalidTag> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let starts = text.bytes().next().is_some_and(word);
        let goes_on = text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'));
        if starts && goes_on && text.len() <= TAG_LENGTH_MAX {
            Ok(Self(text.into()))
        } else {
            let shown: String = text.chars().take(TAG_LENGTH_MAX + 1).collect();
            Err(InvalidTag { text: shown.escape_debug().to_string() })
        }
    }
}

/// It is compared and hashed as its text, so a map can be asked by text.
impl Borrow<str> for Tag {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_decides() {
        let longest = "a".repeat(TAG_LENGTH_MAX);
        for tag in ["latest", "_", "v1.0-rc_1", "0", longest.as_str()] {
            assert!(tag.parse::<Tag>().is_ok(), "{tag:?}");
        }
        let too_long = "a".repeat(TAG_LENGTH_MAX + 1);
        for tag in ["", ".a", "-a", "a/b", "a:b", "a b", "ä", "a\n", too_long.as_str()] {
            assert!(tag.parse::<Tag>().is_err(), "{tag:?}");
        }
    }
}
