//! What an htpasswd file says: one `name:hash` a line.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
};

use super::hash::{Hash, Unusable};

/// The users of one state of the file.
#[derive(Debug, Default)]
pub(super) struct Users {
    /// Where in `hashes` a user's is; nowhere if it is unusable.
    places: HashMap<Box<str>, Option<usize>>,
    hashes: Vec<Hash>,
    /// Chooses whose hash stands in for that of somebody unknown.
    strangers: RandomState,
}

/// A line that lets nobody in, or not as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) reason: Reason,
}

/// What is wrong with a line. What stands in it is never told: it may be a hash, or a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Reason {
    #[error("not `name:hash`")]
    Form,
    #[error("not UTF-8")]
    Text,
    #[error("no name before the colon")]
    Name,
    #[error(transparent)]
    Hash(#[from] Unusable),
}

/// A line taken apart.
enum Line<'a> {
    Nothing,
    User(&'a str, &'a str),
}

impl Users {
    /// Whether a user stands in the file, with a hash that can be used or not.
    pub(super) fn has(&self, user: &str) -> bool {
        self.places.contains_key(user)
    }

    /// Takes a whole file. A line that is wrong is complained of and hides an earlier one of the same name, like any later line does.
    pub(super) fn parse(text: &[u8]) -> (Self, Vec<Complaint>) {
        let (mut users, mut complaints) = (Self::default(), Vec::new());
        let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            if let Err(reason) = users.take(line) {
                complaints.push(Complaint { line: index + 1, reason });
            }
        }
        (users, complaints)
    }

    fn take(&mut self, line: &[u8]) -> Result<(), Reason> {
        match Line::parse(line)? {
            Line::Nothing => Ok(()),
            Line::User(name, hash) => {
                let parsed = Hash::parse(hash);
                let place = parsed.as_ref().ok().map(|hash| {
                    self.hashes.push(hash.clone());
                    self.hashes.len() - 1
                });
                self.places.insert(name.into(), place);
                parsed.map(drop).map_err(Reason::Hash)
            }
        }
    }

    /// The hash to check a password of `name` against, and whether it is the user's own.
    ///
    /// Somebody unknown is checked against somebody else's, always the same one: how long it takes does not tell who is known.
    pub(super) fn hash_for(&self, name: &str) -> Option<(&Hash, bool)> {
        if let Some(Some(place)) = self.places.get(name) {
            return self.hashes.get(*place).map(|hash| (hash, true));
        }
        let count = u64::try_from(self.hashes.len()).ok()?;
        let place = usize::try_from(self.strangers.hash_one(name).checked_rem(count)?).ok()?;
        self.hashes.get(place).map(|hash| (hash, false))
    }

    /// How many names can log in.
    pub(super) fn usable(&self) -> usize {
        self.places.values().flatten().count()
    }
}

impl<'a> Line<'a> {
    fn parse(line: &'a [u8]) -> Result<Self, Reason> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = std::str::from_utf8(line).map_err(|_| Reason::Text)?;
        if text.trim().is_empty() || text.starts_with('#') {
            return Ok(Self::Nothing);
        }
        let (name, hash) = text.split_once(':').ok_or(Reason::Form)?;
        if name.is_empty() { Err(Reason::Name) } else { Ok(Self::User(name, hash)) }
    }
}
