//! Descriptors: typed, sized pointers to content (image-spec, "OCI Content Descriptors").

use std::{collections::BTreeMap, io};

use serde::{Deserialize, Serialize, Serializer};

use crate::Digest;

/// Annotations: arbitrary metadata, in a stable order.
pub type Annotations = BTreeMap<String, String>;

/// A content descriptor as it stands in indexes and referrers responses.
///
/// Only the fields that a registry reads or writes; a stored manifest is always served as the bytes that were pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The media type of the content.
    pub media_type: String,
    /// The digest of the content.
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub digest: Digest,
    /// The size of the content, in bytes.
    pub size: u64,
    /// The artifact type of the content, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Annotations of the content or of the pointer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_empty")]
    pub annotations: Annotations,
}

impl Descriptor {
    /// How many bytes it has as JSON.
    pub fn json_bytes(&self) -> usize {
        let mut counted = Counted(0);
        // Neither a count of bytes fails, nor anything that a descriptor consists of.
        serde_json::to_writer(&mut counted, self).ok();
        counted.0
    }
}

/// Counts what is written to it.
struct Counted(usize);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn as_text<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(digest)
}

fn from_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

/// Reads `null`, which Go's encoder writes for an empty collection, as empty.
pub(crate) fn null_is_empty<'de, D: serde::Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
