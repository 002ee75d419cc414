//! The names of keys: all are drawn here.
//!
//! ```text
//! <prefix>:uploads:{<id>}            one upload in progress
//! <prefix>:uploads:<store>:{<id>}    the same, where a process has several stores
//! <prefix>:rate:<limit>:{<client>}   when the next request of a client is due
//! <prefix>:sessions:{<id>}           one session of a browser
//! <prefix>:logins:{<id>}             one login in a browser that is under way
//! ```
//!
//! What stands in braces chooses the slot of a cluster.

use std::fmt;

/// What keys begin with unless the settings say otherwise.
pub const DEFAULT_KEY_PREFIX: &str = "zot";

/// A family of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room<'a> {
    /// Uploads in progress, by their id.
    Uploads {
        /// The name of the store that they go to; empty if there is only one.
        store: &'a str,
    },
    /// How many requests clients send, by their addresses.
    Rate {
        /// The name of the limit that is counted for.
        limit: &'a str,
    },
    /// Sessions of browsers.
    Sessions,
    /// Logins in browsers that are under way.
    Logins,
}

/// The name of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    pub(crate) fn new(prefix: &str, room: Room<'_>, id: impl fmt::Display) -> Self {
        Self(format!("{}{{{id}}}", start(prefix, room)))
    }

    /// The id in a key of this room, if it is one.
    pub(crate) fn id<'a>(prefix: &str, room: Room<'_>, key: &'a str) -> Option<&'a str> {
        key.strip_prefix(&start(prefix, room))?.strip_prefix('{')?.strip_suffix('}')
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The pattern that the keys of a room match, and no others but by accident.
pub(crate) fn pattern(prefix: &str, room: Room<'_>) -> String {
    let mut pattern = String::new();
    for character in start(prefix, room).chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern + "*"
}

fn start(prefix: &str, room: Room<'_>) -> String {
    match room {
        Room::Uploads { store: "" } => format!("{prefix}:uploads:"),
        Room::Uploads { store } => format!("{prefix}:uploads:{store}:"),
        Room::Rate { limit } => format!("{prefix}:rate:{limit}:"),
        Room::Sessions => format!("{prefix}:sessions:"),
        Room::Logins => format!("{prefix}:logins:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONLY: Room<'_> = Room::Uploads { store: "" };

    #[test]
    fn a_key_says_its_room_and_id() {
        let key = Key::new("zot", ONLY, 7);
        assert_eq!(key.as_str(), "zot:uploads:{7}");
        assert_eq!(Key::id("zot", ONLY, key.as_str()), Some("7"));
        for other in ["zot:uploads:7", "zot2:uploads:{7}", "zot:uploads:{7", ""] {
            assert_eq!(Key::id("zot", ONLY, other), None, "{other}");
        }
    }

    #[test]
    fn stores_have_rooms_of_their_own() {
        let (one, other) = (Room::Uploads { store: "s3://bucket/one" }, Room::Uploads { store: "s3://bucket/other" });
        let key = Key::new("zot", one, 7);
        assert_eq!(key.as_str(), "zot:uploads:s3://bucket/one:{7}");
        assert_eq!([one, other, ONLY].map(|room| Key::id("zot", room, key.as_str())), [Some("7"), None, None]);
    }

    #[test]
    fn sessions_and_logins_are_kept_apart() {
        let keys = [Room::Sessions, Room::Logins].map(|room| Key::new("zotsession", room, "ab").as_str().to_owned());
        assert_eq!(keys, ["zotsession:sessions:{ab}", "zotsession:logins:{ab}"]);
    }

    #[test]
    fn a_prefix_is_matched_as_it_is() {
        assert_eq!(pattern("a*[b]?\\", ONLY), "a\\*\\[b\\]\\?\\\\:uploads:*");
    }
}
