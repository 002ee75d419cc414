//! Keys of rows and the scans over them, with the one encoding whose byte order is the order of listings.

use std::ops::Bound;

use zot_contract::{OperationId, UserName};
use zot_oci::{Algorithm, Digest, RepositoryName, Tag};

use crate::{Error, Result, metadata::Cursor};

/// Names a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// The version of the rows' schema; present once the store is complete.
    Schema,
    /// A repository that has had a manifest.
    Repository(RepositoryName),
    /// A tag.
    Tag(RepositoryName, Tag),
    /// A manifest.
    Manifest(RepositoryName, Digest),
    /// A manifest (last) as a referrer of its subject.
    Referrer(RepositoryName, Digest, Digest),
    /// That a manifest (last) needs a blob or lists a manifest.
    Reference(RepositoryName, Digest, Digest),
    /// That a repository has a blob.
    Link(RepositoryName, Digest),
    /// A blob that repositories share.
    Blob(Digest),
    /// That a manifest was changed and the repository's image layout does not show it yet.
    Unprojected(RepositoryName, Digest),
    /// What is known of a user.
    User(UserName),
    /// That no row may speak of a place in the blob store any more, because what is there is removed.
    Condemned(String),
    /// That a change which several members may be asked for was made, or will not be.
    Operation(OperationId),
}

/// The kinds of rows that can be walked over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Blobs that repositories share.
    Blobs,
    /// Blobs of all repositories.
    Links,
    /// Manifests of all repositories.
    Manifests,
}

/// A range of rows of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scan {
    /// Repositories, those after a text.
    Repositories(Option<String>),
    /// Tags of a repository, those after a text.
    Tags(RepositoryName, Option<String>),
    /// Manifests of a repository, those after a digest.
    Manifests(RepositoryName, Option<Digest>),
    /// Referrers of a subject, those after a digest.
    Referrers(RepositoryName, Digest, Option<Digest>),
    /// Manifests that need a blob or list a manifest.
    References(RepositoryName, Digest),
    /// Blobs of a repository, those after a digest.
    Links(RepositoryName, Option<Digest>),
    /// Changes that image layouts do not show yet, those after one.
    Unprojected(Option<(RepositoryName, Digest)>),
    /// Changes that the image layout of a repository does not show yet.
    UnprojectedOf(RepositoryName),
    /// Users, those after a text.
    Users(Option<String>),
    /// Places that no row may speak of, those after a text.
    Condemned(Option<String>),
    /// Changes that were made or will not be, in the order in which they were begun, those after one.
    Operations(Option<OperationId>),
}

const SCHEMA: u8 = 0;
const REPOSITORY: u8 = 1;
const TAG: u8 = 2;
const MANIFEST: u8 = 3;
const REFERRER: u8 = 4;
const REFERENCE: u8 = 5;
const LINK: u8 = 6;
const BLOB: u8 = 7;
const UNPROJECTED: u8 = 8;
const USER: u8 = 9;
const CONDEMNED: u8 = 10;
const OPERATION: u8 = 11;

/// Ends a name. No name or tag contains it, and it sorts before every character that may follow.
const END: u8 = 0;

/// The kind, then names ended by [`END`] and digests as an algorithm byte with the raw hash value, so that byte order is name order.
struct Encoder(Vec<u8>);

impl Encoder {
    fn kind(kind: u8) -> Self {
        let mut bytes = Vec::with_capacity(96);
        bytes.push(kind);
        Self(bytes)
    }

    fn text(mut self, text: &str) -> Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    fn name(mut self, repository: &RepositoryName) -> Self {
        self = self.text(repository.as_str());
        self.0.push(END);
        self
    }

    fn digest(mut self, digest: &Digest) -> Self {
        self.0.push(digest.algorithm() as u8);
        self.0.extend_from_slice(digest.value());
        self
    }

    fn operation(mut self, operation: &OperationId) -> Self {
        self.0.extend_from_slice(operation.as_bytes());
        self
    }

    /// Every key that starts like this, after the one that goes on with `after`.
    fn range(self, after: Option<Self>) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
        let mut end = self.0.clone();
        // The last byte is a kind, an END or part of a digest; only the last can be 0xff, and carrying into the byte before it is right then too.
        while end.pop_if(|byte| *byte == u8::MAX).is_some() {}
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        let start = after.map_or_else(|| Bound::Included(self.0), |after| Bound::Excluded(after.0));
        (start, Bound::Excluded(end))
    }
}

impl Key {
    /// The key as bytes: whole keys sort like this, so that a store in byte order lists in the order of names.
    pub fn encode(&self) -> Vec<u8> {
        let encoder = match self {
            Self::Schema => Encoder::kind(SCHEMA),
            Self::Repository(name) => Encoder::kind(REPOSITORY).text(name.as_str()),
            Self::Tag(name, tag) => Encoder::kind(TAG).name(name).text(tag.as_str()),
            Self::Manifest(name, digest) => Encoder::kind(MANIFEST).name(name).digest(digest),
            Self::Referrer(name, subject, digest) => Encoder::kind(REFERRER).name(name).digest(subject).digest(digest),
            Self::Reference(name, target, digest) => Encoder::kind(REFERENCE).name(name).digest(target).digest(digest),
            Self::Link(name, digest) => Encoder::kind(LINK).name(name).digest(digest),
            Self::Blob(digest) => Encoder::kind(BLOB).digest(digest),
            Self::Unprojected(name, digest) => Encoder::kind(UNPROJECTED).name(name).digest(digest),
            Self::User(name) => Encoder::kind(USER).text(name.as_str()),
            Self::Condemned(place) => Encoder::kind(CONDEMNED).text(place),
            Self::Operation(operation) => Encoder::kind(OPERATION).operation(operation),
        };
        encoder.0
    }

    /// The user whom a row is about, if it is about one.
    pub(crate) fn user(&self) -> Option<&str> {
        if let Self::User(name) = self { Some(name.as_str()) } else { None }
    }

    /// Reads what [`Key::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        Keys::default().decode(bytes)
    }
}

/// Reads keys one after another: those of one repository, which stand together, share its name.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    name: Option<RepositoryName>,
}

impl Keys {
    /// Reads the next one.
    pub(crate) fn decode(&mut self, bytes: &[u8]) -> Result<Key> {
        let key = Decoder { left: bytes, known: &mut self.name }.key();
        key.ok_or_else(|| Error::damaged(format!("key {}", bytes.escape_ascii()), "it names no row"))
    }
}

impl Kind {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Blobs, Self::Links, Self::Manifests];

    /// Whether a key is of this kind.
    pub fn has(self, key: &Key) -> bool {
        match self {
            Self::Blobs => matches!(key, Key::Blob(_)),
            Self::Links => matches!(key, Key::Link(..)),
            Self::Manifests => matches!(key, Key::Manifest(..)),
        }
    }

    /// The encoded keys of this kind, those after one of them.
    pub fn range(self, after: Option<&Cursor>) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
        let kind = match self {
            Self::Blobs => BLOB,
            Self::Links => LINK,
            Self::Manifests => MANIFEST,
        };
        Encoder::kind(kind).range(after.map(|after| Encoder(after.as_bytes().to_vec())))
    }
}

impl Scan {
    /// The encoded keys in the scan.
    pub fn range(&self) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
        match self {
            Self::Repositories(after) => text_range(|| Encoder::kind(REPOSITORY), after.as_deref()),
            Self::Tags(name, after) => text_range(|| Encoder::kind(TAG).name(name), after.as_deref()),
            Self::Manifests(name, after) => digest_range(|| Encoder::kind(MANIFEST).name(name), after.as_ref()),
            Self::Referrers(name, subject, after) => digest_range(|| Encoder::kind(REFERRER).name(name).digest(subject), after.as_ref()),
            Self::References(name, target) => digest_range(|| Encoder::kind(REFERENCE).name(name).digest(target), None),
            Self::Links(name, after) => digest_range(|| Encoder::kind(LINK).name(name), after.as_ref()),
            Self::Unprojected(after) => {
                let start = Encoder::kind(UNPROJECTED);
                start.range(after.as_ref().map(|(name, digest)| Encoder::kind(UNPROJECTED).name(name).digest(digest)))
            }
            Self::UnprojectedOf(name) => digest_range(|| Encoder::kind(UNPROJECTED).name(name), None),
            Self::Users(after) => text_range(|| Encoder::kind(USER), after.as_deref()),
            Self::Condemned(after) => text_range(|| Encoder::kind(CONDEMNED), after.as_deref()),
            Self::Operations(after) => {
                Encoder::kind(OPERATION).range(after.as_ref().map(|operation| Encoder::kind(OPERATION).operation(operation)))
            }
        }
    }
}

fn text_range(start: impl Fn() -> Encoder, after: Option<&str>) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    start().range(after.map(|after| start().text(after)))
}

fn digest_range(start: impl Fn() -> Encoder, after: Option<&Digest>) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    start().range(after.map(|after| start().digest(after)))
}

struct Decoder<'a> {
    left: &'a [u8],
    /// The repository of the key before.
    known: &'a mut Option<RepositoryName>,
}

impl<'a> Decoder<'a> {
    fn key(mut self) -> Option<Key> {
        let key = match self.byte()? {
            SCHEMA => Key::Schema,
            REPOSITORY => Key::Repository(self.rest()?.parse().ok()?),
            TAG => Key::Tag(self.name()?, self.rest()?.parse().ok()?),
            MANIFEST => Key::Manifest(self.name()?, self.digest()?),
            REFERRER => Key::Referrer(self.name()?, self.digest()?, self.digest()?),
            REFERENCE => Key::Reference(self.name()?, self.digest()?, self.digest()?),
            LINK => Key::Link(self.name()?, self.digest()?),
            BLOB => Key::Blob(self.digest()?),
            UNPROJECTED => Key::Unprojected(self.name()?, self.digest()?),
            USER => Key::User(self.rest()?.parse().ok()?),
            CONDEMNED => Key::Condemned(self.rest()?.to_owned()),
            OPERATION => Key::Operation(OperationId::from_bytes(std::mem::take(&mut self.left)).ok()?),
            _ => return None,
        };
        self.left.is_empty().then_some(key)
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.left.split_first()?;
        self.left = rest;
        Some(*first)
    }

    fn rest(&mut self) -> Option<&'a str> {
        std::str::from_utf8(std::mem::take(&mut self.left)).ok()
    }

    fn name(&mut self) -> Option<RepositoryName> {
        let end = self.left.iter().position(|byte| *byte == END)?;
        let (name, rest) = self.left.split_at(end);
        self.left = rest.get(1..)?;
        if self.known.as_ref().is_none_or(|known| known.as_str().as_bytes() != name) {
            *self.known = Some(std::str::from_utf8(name).ok()?.parse().ok()?);
        }
        self.known.clone()
    }

    fn digest(&mut self) -> Option<Digest> {
        let code = self.byte()?;
        let algorithm = Algorithm::ALL.into_iter().find(|algorithm| *algorithm as u8 == code)?;
        let (value, rest) = self.left.split_at_checked(algorithm.size())?;
        self.left = rest;
        Digest::from_value(algorithm, value)
    }
}

#[cfg(test)]
mod tests;
