//! Media types (RFC 6838), reduced to what a registry compares: lower-case `type/subtype` without parameters.

use std::{borrow::Cow, fmt, str::FromStr};

/// A media type without parameters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MediaType(Cow<'static, str>);

/// A string is not a media type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid media type `{text}`: expected `type/subtype`")]
pub struct InvalidMediaType {
    text: String,
}

/// The media types that a registry itself gives a meaning to.
pub mod media_types {
    use super::MediaType;

    /// An OCI image manifest.
    pub const OCI_MANIFEST: MediaType = MediaType::known("application/vnd.oci.image.manifest.v1+json");
    /// An OCI image index.
    pub const OCI_INDEX: MediaType = MediaType::known("application/vnd.oci.image.index.v1+json");
    /// A docker image manifest, schema 2.
    pub const DOCKER_MANIFEST: MediaType = MediaType::known("application/vnd.docker.distribution.manifest.v2+json");
    /// A docker manifest list.
    pub const DOCKER_MANIFEST_LIST: MediaType = MediaType::known("application/vnd.docker.distribution.manifest.list.v2+json");
    /// Bytes of unknown kind.
    pub const OCTET_STREAM: MediaType = MediaType::known("application/octet-stream");
}

impl MediaType {
    const fn known(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// The media type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MediaType {
    type Err = InvalidMediaType;

    /// Parses the value of a `Content-Type` header or a `mediaType` field; parameters such as `; charset=utf-8` are dropped.
    fn from_str(text: &str) -> Result<Self, InvalidMediaType> {
        let essence = text.split(';').next().unwrap_or_default().trim();
        let invalid = || InvalidMediaType { text: text.chars().take(255).collect::<String>().escape_debug().to_string() };
        let (kind, subtype) = essence.split_once('/').ok_or_else(invalid)?;
        if is_restricted_name(kind) && is_restricted_name(subtype) { Ok(Self(essence.to_ascii_lowercase().into())) } else { Err(invalid()) }
    }
}

/// `restricted-name` of RFC 6838 section 4.2.
fn is_restricted_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
    name.len() <= 127 && name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric()) && name.bytes().all(allowed)
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_case_do_not_matter() {
        assert_eq!("Application/vnd.oci.image.index.v1+JSON; charset=utf-8".parse(), Ok(media_types::OCI_INDEX));
    }

    #[test]
    fn junk_is_refused() {
        for text in ["", "/", "a", "a/", "/b", "a/b/c", "a b/c", "text/plain\r\nx: y"] {
            assert!(text.parse::<MediaType>().is_err(), "{text:?}");
        }
    }
}
