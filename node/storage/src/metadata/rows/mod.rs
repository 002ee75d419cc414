//! What rows hold: protobuf messages, so that a release can read the rows of the one before and of the one after.

pub(crate) mod user;

use bytes::Bytes;
use prost::Message;
use zot_contract::ManifestInfo;
use zot_oci::{Algorithm, Digest, MediaType, RepositoryName};

use super::{Key, Row};
use crate::{BlobAddress, BlobKey, Error, Result};

/// The version of the rows' schema that this release writes.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// Row of [`Key::Schema`].
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SchemaRow {
    #[prost(uint32, tag = "1")]
    pub(crate) version: u32,
    /// Who fills the store from image layouts; empty once it is complete.
    #[prost(string, tag = "2")]
    pub(crate) filler: String,
}

/// Row of [`Key::Repository`].
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RepositoryRow {
    #[prost(uint64, tag = "1")]
    pub(crate) created_unix_ms: u64,
}

/// Row of [`Key::Tag`].
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TagRow {
    #[prost(message, required, tag = "1")]
    pub(crate) digest: DigestField,
    #[prost(uint64, tag = "2")]
    pub(crate) pushed_unix_ms: u64,
}

/// Row of [`Key::Manifest`].
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ManifestRow {
    #[prost(string, tag = "1")]
    pub(crate) media_type: String,
    #[prost(uint64, tag = "2")]
    pub(crate) size: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) pushed_unix_ms: u64,
    #[prost(string, tag = "4")]
    pub(crate) pushed_by: String,
    #[prost(message, optional, tag = "5")]
    pub(crate) subject: Option<DigestField>,
    #[prost(enumeration = "Location", tag = "6")]
    pub(crate) location: i32,
    /// The manifest itself, where `location` is inline.
    #[prost(bytes = "bytes", tag = "7")]
    pub(crate) inline: Bytes,
    /// The place that the blob store chose for the bytes; empty if they are under their key.
    #[prost(string, tag = "8")]
    pub(crate) place: String,
}

/// Row of [`Key::Link`].
#[derive(Clone, PartialEq, Message)]
pub(crate) struct LinkRow {
    #[prost(uint64, tag = "1")]
    pub(crate) size: u64,
    #[prost(enumeration = "Location", tag = "2")]
    pub(crate) location: i32,
    /// When the repository last took up the blob or a manifest that needs it.
    #[prost(uint64, tag = "3")]
    pub(crate) touched_unix_ms: u64,
    /// The place that the blob store chose for the bytes; empty if they are under their key.
    #[prost(string, tag = "4")]
    pub(crate) place: String,
}

/// Row of [`Key::Blob`].
#[derive(Clone, PartialEq, Message)]
pub(crate) struct BlobRow {
    #[prost(uint64, tag = "1")]
    pub(crate) size: u64,
    #[prost(enumeration = "Location", tag = "2")]
    pub(crate) location: i32,
    /// The bytes themselves, where `location` is inline.
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) inline: Bytes,
    /// The place that the blob store chose for the bytes; empty if they are under their key.
    #[prost(string, tag = "4")]
    pub(crate) place: String,
}

/// Row of [`Key::Condemned`].
#[derive(Clone, PartialEq, Message)]
pub(crate) struct CondemnedRow {
    #[prost(uint64, tag = "1")]
    pub(crate) since_unix_ms: u64,
    /// Whether nothing is there any more.
    #[prost(bool, tag = "2")]
    pub(crate) removed: bool,
}

/// Row of [`Key::Operation`].
#[derive(Clone, PartialEq, Message)]
pub(crate) struct OperationRow {
    #[prost(uint64, tag = "1")]
    pub(crate) ended_unix_ms: u64,
    /// Whether it was refused, and so changed nothing.
    #[prost(bool, tag = "2")]
    pub(crate) refused: bool,
}

/// Where bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum Location {
    /// In the place that all repositories share.
    Shared = 0,
    /// In a metadata row: the manifest's, or the shared blob's.
    Inline = 1,
    /// In the repository's own place.
    Own = 2,
}

impl Location {
    /// The address of bytes that are in the blob store.
    fn address(self, repository: &RepositoryName, digest: &Digest, place: &str) -> Option<BlobAddress> {
        let key = match self {
            Self::Inline => return None,
            Self::Shared => BlobKey::shared(digest),
            Self::Own => BlobKey::own(repository, digest),
        };
        Some(BlobAddress { key, place: place.to_owned() })
    }
}

impl LinkRow {
    /// Where the bytes of the blob `digest` are, unless they are in its row.
    pub(crate) fn address(&self, repository: &RepositoryName, digest: &Digest) -> Option<BlobAddress> {
        self.location().address(repository, digest, &self.place)
    }
}

impl BlobRow {
    /// Where the bytes of the shared blob `digest` are, unless they are in this row.
    pub(crate) fn address(&self, digest: &Digest) -> Option<BlobAddress> {
        (self.location() != Location::Inline).then(|| BlobAddress { key: BlobKey::shared(digest), place: self.place.clone() })
    }
}

/// A digest within a row.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct DigestField {
    #[prost(uint32, tag = "1")]
    algorithm: u32,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

impl From<&Digest> for DigestField {
    fn from(digest: &Digest) -> Self {
        Self { algorithm: digest.algorithm() as u32, value: digest.value().to_vec() }
    }
}

impl TryFrom<&DigestField> for Digest {
    type Error = Error;

    fn try_from(field: &DigestField) -> Result<Self> {
        let algorithm = Algorithm::ALL.into_iter().find(|algorithm| *algorithm as u32 == field.algorithm);
        let digest = algorithm.and_then(|algorithm| Self::from_value(algorithm, &field.value));
        digest.ok_or_else(|| Error::damaged("digest in a metadata row", "its algorithm or length is unknown"))
    }
}

impl ManifestRow {
    /// Where the bytes of the manifest `digest` are, unless they are in this row.
    pub(crate) fn address(&self, repository: &RepositoryName, digest: &Digest) -> Option<BlobAddress> {
        self.location().address(repository, digest, &self.place)
    }

    /// What the row says of the manifest `digest`.
    pub(crate) fn info(&self, digest: Digest) -> Result<ManifestInfo> {
        let media_type: MediaType = self.media_type.parse().map_err(|error| Error::damaged(format!("row of manifest {digest}"), error))?;
        Ok(ManifestInfo { digest, media_type, size: self.size })
    }
}

impl Row {
    /// Reads the row of `key` as a message.
    pub(crate) fn read<M: Message + Default>(&self, key: &Key) -> Result<M> {
        M::decode(self.value.clone()).map_err(|error| Error::damaged(format!("row of {key:?}"), error))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A link as the release before places wrote it.
    #[derive(Clone, PartialEq, Message)]
    struct FormerLinkRow {
        #[prost(uint64, tag = "1")]
        size: u64,
        #[prost(enumeration = "Location", tag = "2")]
        location: i32,
        #[prost(uint64, tag = "3")]
        touched_unix_ms: u64,
    }

    #[test]
    fn a_row_without_a_place_has_its_bytes_under_their_key() {
        let former = FormerLinkRow { size: 7, location: Location::Shared.into(), touched_unix_ms: 8 };
        let row = LinkRow::decode(former.encode_to_vec().as_slice()).unwrap();
        let digest = Digest::sha256(b"x");
        assert_eq!(row.address(&"a".parse().unwrap(), &digest), Some(BlobKey::shared(&digest).into()));
        assert_eq!(FormerLinkRow::decode(row.encode_to_vec().as_slice()).unwrap(), former);
    }

    fn read<M: Message + Default>(bytes: &[u8]) -> Result<M> {
        Row { value: Bytes::copy_from_slice(bytes), version: 0 }.read(&Key::Schema)
    }

    fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..70)
    }

    /// The digest may be none, and the location one of a later release.
    fn any_manifest() -> impl Strategy<Value = ManifestRow> {
        let texts = (any::<String>(), any::<String>(), any::<String>());
        let subject = prop::option::of((0..5_u32, any_bytes()).prop_map(|(algorithm, value)| DigestField { algorithm, value }));
        (texts, any::<u64>(), any::<u64>(), subject, -1..4, any_bytes()).prop_map(
            |((media_type, pushed_by, place), size, pushed_unix_ms, subject, location, inline)| ManifestRow {
                media_type,
                size,
                pushed_unix_ms,
                pushed_by,
                subject,
                location,
                inline: inline.into(),
                place,
            },
        )
    }

    /// Asks all that can be asked of these bytes, whatever row they are.
    fn ask(bytes: &[u8]) {
        let (repository, digest) = ("a".parse().unwrap(), Digest::sha256(b"x"));
        let _ = (read::<SchemaRow>(bytes), read::<RepositoryRow>(bytes), read::<CondemnedRow>(bytes));
        let _ = read::<TagRow>(bytes).and_then(|row| Digest::try_from(&row.digest));
        let _ = read::<LinkRow>(bytes).map(|row| row.address(&repository, &digest));
        let _ = read::<BlobRow>(bytes).map(|row| row.address(&digest));
        let _ = read::<user::UserRow>(bytes).and_then(|row| user::record(row, &Key::Schema));
        if let Ok(row) = read::<ManifestRow>(bytes) {
            let _ = (row.address(&repository, &digest), row.info(digest), row.subject.as_ref().map(Digest::try_from));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(manifest in any_manifest()) {
            let ManifestRow { size, location, pushed_unix_ms, inline, place, subject, .. } = manifest.clone();
            let link = LinkRow { size, location, touched_unix_ms: pushed_unix_ms, place: place.clone() };
            let blob = BlobRow { size, location, inline, place };
            let tag = TagRow { digest: subject.unwrap_or_default(), pushed_unix_ms };
            prop_assert_eq!(read::<ManifestRow>(&manifest.encode_to_vec()).unwrap(), manifest);
            prop_assert_eq!(read::<LinkRow>(&link.encode_to_vec()).unwrap(), link);
            prop_assert_eq!(read::<BlobRow>(&blob.encode_to_vec()).unwrap(), blob);
            prop_assert_eq!(read::<TagRow>(&tag.encode_to_vec()).unwrap(), tag);
        }

        #[test]
        fn a_digest_is_read_back_and_nothing_else_is_one(algorithm in 0..5_u32, value in any_bytes()) {
            let field = DigestField { algorithm, value };
            let known = Algorithm::ALL.into_iter().find(|known| *known as u32 == algorithm);
            match Digest::try_from(&field) {
                Ok(digest) => prop_assert_eq!(DigestField::from(&digest), field),
                Err(_) => prop_assert!(known.is_none_or(|known| known.size() != field.value.len())),
            }
        }

        #[test]
        fn any_bytes_are_a_row_or_an_error(
            manifest in any_manifest(), bytes in any_bytes(), place in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
        ) {
            let mut row = [manifest.encode_to_vec(), vec![0x40]].concat();
            let place = place.index(row.len());
            row[place] = byte;
            row.truncate(if cut { place } else { row.len() });
            ask(&row);
            ask(&bytes);
        }
    }
}
