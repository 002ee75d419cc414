//! Digests: content addresses of the form `algorithm:hex` (image-spec, "Digests").

use std::{fmt, str::FromStr};

/// A registered digest algorithm that this registry can compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Algorithm {
    /// SHA-256, which the specification requires.
    #[default]
    Sha256,
    /// SHA-384, not registered by the specification but written by zot.
    Sha384,
    /// SHA-512, optional in the specification.
    Sha512,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// The algorithm's name in a digest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// The length of a hash value, in bytes.
    pub fn size(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

impl FromStr for Algorithm {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let found = Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text);
        found.ok_or_else(|| InvalidDigest::UnsupportedAlgorithm { algorithm: shown(text) })
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A valid digest. Copying is cheap.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    /// The hash value, padded with zeros.
    value: [u8; 64],
}

/// Why a string is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDigest {
    /// No `algorithm:hex` shape.
    #[error("invalid digest `{text}`: expected `algorithm:hex`")]
    Shape {
        /// The text, cut and escaped for display.
        text: String,
    },
    /// An algorithm that is not supported.
    #[error("unsupported digest algorithm `{algorithm}`: expected sha256, sha384 or sha512")]
    UnsupportedAlgorithm {
        /// The algorithm, cut and escaped for display.
        algorithm: String,
    },
    /// Not the right number of lower-case hexadecimal characters.
    #[error("invalid {algorithm} digest: expected {} lower-case hexadecimal characters", algorithm.size() * 2)]
    Hex {
        /// The algorithm that sets the length.
        algorithm: Algorithm,
    },
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect::<String>().escape_debug().to_string()
}

impl Digest {
    /// The digest whose hash value is `value`, or nothing if its length is not the algorithm's.
    pub fn from_value(algorithm: Algorithm, value: &[u8]) -> Option<Self> {
        if value.len() != algorithm.size() {
            return None;
        }
        let mut padded = [0; 64];
        padded.get_mut(..value.len())?.copy_from_slice(value);
        Some(Self { algorithm, value: padded })
    }

    /// The digest with a hash value already padded with zeros.
    pub(crate) fn padded(algorithm: Algorithm, value: [u8; 64]) -> Self {
        Self { algorithm, value }
    }

    /// The digest of `bytes`.
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = crate::Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// The SHA-256 digest of `bytes`.
    pub fn sha256(bytes: &[u8]) -> Self {
        Self::of(Algorithm::Sha256, bytes)
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hash value, as long as the algorithm says.
    pub fn value(&self) -> &[u8] {
        self.value.get(..self.algorithm.size()).unwrap_or(&self.value)
    }

    /// The hash value in lower-case hexadecimal.
    pub fn hex(&self) -> String {
        hex::encode(self.value())
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let (algorithm, hex) = text.split_once(':').ok_or_else(|| InvalidDigest::Shape { text: shown(text) })?;
        let algorithm: Algorithm = algorithm.parse()?;
        let wrong = || InvalidDigest::Hex { algorithm };
        if hex.len() != algorithm.size() * 2 || hex.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(wrong());
        }
        let mut value = [0; 64];
        let target = value.get_mut(..algorithm.size()).ok_or_else(wrong)?;
        hex::decode_to_slice(hex, target).map_err(|_| wrong())?;
        Ok(Self { algorithm, value })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0; 128];
        let hex = buffer.get_mut(..self.algorithm.size() * 2).unwrap_or_default();
        // It has the right length, and hexadecimal is text.
        hex::encode_to_slice(self.value(), hex).map_err(|_| fmt::Error)?;
        f.write_str(self.algorithm.as_str())?;
        f.write_str(":")?;
        f.write_str(std::str::from_utf8(hex).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_as_it_went_in() {
        for algorithm in Algorithm::ALL {
            let digest = Digest::of(algorithm, b"hello");
            assert_eq!(digest.to_string().parse(), Ok(digest));
            assert_eq!(Digest::from_value(algorithm, digest.value()), Some(digest));
        }
    }

    #[test]
    fn the_empty_content_has_its_well_known_digest() {
        assert_eq!(Digest::sha256(b"").to_string(), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn anything_else_is_refused() {
        let upper = format!("sha256:{}", "A".repeat(64));
        let short = format!("sha256:{}", "a".repeat(63));
        let wide = format!("sha256:{}", "ä".repeat(32));
        for text in ["", "sha256", "sha256:", ":", "md5:d41d8cd98f00b204e9800998ecf8427e", &upper, &short, &wide, "sha256:../../etc/passwd"]
        {
            assert!(text.parse::<Digest>().is_err(), "{text:?}");
        }
    }
}
