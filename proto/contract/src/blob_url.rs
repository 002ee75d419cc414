//! A URL at which a client finds a blob by itself.

use std::{fmt, str::FromStr};

/// An absolute URL of HTTP that anybody who has it may read a blob at, for a time. To be told to its reader only: what follows the `?` is a key.
#[derive(Clone, PartialEq, Eq)]
pub struct BlobUrl(String);

/// A text that is no URL which a client could be sent to.
#[derive(Debug, thiserror::Error)]
#[error("it is not an absolute URL of http or https")]
pub struct InvalidBlobUrl;

impl BlobUrl {
    /// The URL, key and all.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BlobUrl {
    type Err = InvalidBlobUrl;

    fn from_str(text: &str) -> Result<Self, InvalidBlobUrl> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(InvalidBlobUrl)?;
        let has_host = !rest.is_empty() && !rest.starts_with(['/', '?', '#', ':', '@']);
        // What cannot stand in a header cannot stand in a URL either.
        if has_host && rest.bytes().all(|byte| byte.is_ascii_graphic()) { Ok(Self(text.to_owned())) } else { Err(InvalidBlobUrl) }
    }
}

impl fmt::Debug for BlobUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.split('?').next().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_urls_of_http_are_taken() {
        for good in ["http://h/b", "https://h:8333/b/k?X-Amz-Signature=1", "https://[::1]/x", "http://h"] {
            assert_eq!(good.parse::<BlobUrl>().unwrap().as_str(), good);
        }
        for bad in
            ["", "/b", "//h/b", "h/b", "ftp://h/b", "http://", "http:///b", "https://?x", "http://h/a b", "http://h/\r\nx: y", "http://h/ä"]
        {
            assert!(bad.parse::<BlobUrl>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn its_key_is_not_shown() {
        let url: BlobUrl = "https://h/b?X-Amz-Signature=secret".parse().unwrap();
        assert_eq!(format!("{url:?}"), "https://h/b");
    }
}
