//! The contract's errors, on the wire.

use std::time::Duration;

use parking_lot::Mutex;
use zot_contract::Error;

use super::{
    Malformed,
    cause::{TEXT_BYTES_MAX, cut},
    causes, parse, rebuilt,
};
use crate::v1::{self, error::Kind};

impl From<&Error> for v1::Error {
    fn from(error: &Error) -> Self {
        Self { retry_after_milliseconds: retry_after(error), kind: Some(kind(error)) }
    }
}

/// When to try again, in milliseconds and rounded up: never sooner than was said.
fn retry_after(error: &Error) -> Option<u64> {
    match error {
        Error::Unavailable { retry_after, .. } => Some(u64::try_from(retry_after.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)),
        _ => None,
    }
}

fn kind(error: &Error) -> Kind {
    match error {
        Error::NameUnknown { repository } => Kind::NameUnknown(v1::NameUnknown { repository: repository.to_string() }),
        Error::BlobUnknown { repository, digest } => {
            Kind::BlobUnknown(v1::BlobUnknown { repository: repository.to_string(), digest: digest.to_string() })
        }
        Error::BlobReferenced { repository, digest, manifest } => Kind::BlobReferenced(v1::BlobReferenced {
            repository: repository.to_string(),
            digest: digest.to_string(),
            manifest: manifest.to_string(),
        }),
        Error::ManifestUnknown { repository, reference } => {
            Kind::ManifestUnknown(v1::ManifestUnknown { repository: repository.to_string(), reference: reference.to_string() })
        }
        Error::ManifestInvalid { reason } => Kind::ManifestInvalid(reason.into()),
        Error::ManifestBlobUnknown { repository, digest } => {
            Kind::ManifestBlobUnknown(v1::ManifestBlobUnknown { repository: repository.to_string(), digest: digest.to_string() })
        }
        Error::ManifestReferenced { repository, digest, index } => Kind::ManifestReferenced(v1::ManifestReferenced {
            repository: repository.to_string(),
            digest: digest.to_string(),
            index: index.to_string(),
        }),
        Error::TagExists { repository, tag } => Kind::TagExists(v1::TagExists { repository: repository.to_string(), tag: tag.to_string() }),
        Error::TagUnknown { repository, tag } => {
            Kind::TagUnknown(v1::TagUnknown { repository: repository.to_string(), tag: tag.to_string() })
        }
        Error::ManifestTagged { repository, digest, tags } => Kind::ManifestTagged(v1::ManifestTagged {
            repository: repository.to_string(),
            digest: digest.to_string(),
            tags: u64::try_from(*tags).unwrap_or(u64::MAX),
        }),
        Error::DigestMismatch { expected, found } => {
            Kind::DigestMismatch(v1::DigestMismatch { expected: expected.to_string(), found: found.to_string() })
        }
        Error::UploadUnknown { upload } => Kind::UploadUnknown(v1::UploadUnknown { upload: upload.to_string() }),
        Error::UploadOffset { upload, expected, found } => {
            Kind::UploadOffset(v1::UploadOffset { upload: upload.to_string(), expected: *expected, found: *found })
        }
        Error::UploadBusy { upload } => Kind::UploadBusy(v1::UploadBusy { upload: upload.to_string() }),
        Error::BodyBroken(source) => Kind::BodyBroken(v1::BodyBroken { causes: causes(&**source) }),
        Error::UserChanged { user } => Kind::UserChanged(v1::UserChanged { user: user.to_string() }),
        Error::UserTooLarge { user, bytes } => Kind::UserTooLarge(v1::UserTooLarge { user: user.to_string(), bytes: *bytes }),
        Error::Moved { view } => Kind::Moved(v1::Moved { view: *view }),
        Error::Unavailable { what, source, .. } => Kind::Unavailable(v1::Unavailable { what: cut(what), causes: causes(&**source) }),
        Error::Internal(source) => Kind::Internal(v1::Internal { causes: causes(&**source) }),
    }
}

impl TryFrom<v1::Error> for Error {
    type Error = Malformed;

    fn try_from(wire: v1::Error) -> Result<Self, Malformed> {
        let retry_after = Duration::from_millis(wire.retry_after_milliseconds.unwrap_or_default());
        match wire.kind.ok_or(Malformed::Missing { field: "kind of error" })? {
            Kind::ManifestInvalid(invalid) => Ok(Self::ManifestInvalid { reason: invalid.try_into()? }),
            Kind::BodyBroken(broken) => Ok(Self::BodyBroken(rebuilt(broken.causes))),
            Kind::Unavailable(v1::Unavailable { what, causes }) => {
                Ok(Self::Unavailable { what: lasting(&what), retry_after, source: rebuilt(causes) })
            }
            Kind::Moved(v1::Moved { view }) => Ok(Self::Moved { view }),
            Kind::Internal(internal) => Ok(Self::Internal(rebuilt(internal.causes))),
            refusal => refused(refusal),
        }
    }
}

/// The errors that speak of content, and say nothing but what it is.
fn refused(kind: Kind) -> Result<Error, Malformed> {
    let repository = |text: &str| parse("repository", text);
    let digest = |text: &str| parse("digest", text);
    Ok(match kind {
        Kind::NameUnknown(it) => Error::NameUnknown { repository: repository(&it.repository)? },
        Kind::BlobUnknown(it) => Error::BlobUnknown { repository: repository(&it.repository)?, digest: digest(&it.digest)? },
        Kind::BlobReferenced(it) => {
            Error::BlobReferenced { repository: repository(&it.repository)?, digest: digest(&it.digest)?, manifest: digest(&it.manifest)? }
        }
        Kind::ManifestUnknown(it) => {
            Error::ManifestUnknown { repository: repository(&it.repository)?, reference: parse("reference", &it.reference)? }
        }
        Kind::ManifestBlobUnknown(it) => {
            Error::ManifestBlobUnknown { repository: repository(&it.repository)?, digest: digest(&it.digest)? }
        }
        Kind::ManifestReferenced(it) => {
            Error::ManifestReferenced { repository: repository(&it.repository)?, digest: digest(&it.digest)?, index: digest(&it.index)? }
        }
        Kind::TagExists(it) => Error::TagExists { repository: repository(&it.repository)?, tag: parse("tag", &it.tag)? },
        Kind::TagUnknown(it) => Error::TagUnknown { repository: repository(&it.repository)?, tag: parse("tag", &it.tag)? },
        Kind::ManifestTagged(it) => Error::ManifestTagged {
            repository: repository(&it.repository)?,
            digest: digest(&it.digest)?,
            tags: usize::try_from(it.tags).unwrap_or(usize::MAX),
        },
        Kind::DigestMismatch(it) => Error::DigestMismatch { expected: digest(&it.expected)?, found: digest(&it.found)? },
        Kind::UploadUnknown(it) => Error::UploadUnknown { upload: parse("upload", &it.upload)? },
        Kind::UploadOffset(it) => Error::UploadOffset { upload: parse("upload", &it.upload)?, expected: it.expected, found: it.found },
        Kind::UploadBusy(it) => Error::UploadBusy { upload: parse("upload", &it.upload)? },
        Kind::UserChanged(it) => Error::UserChanged { user: parse("user", &it.user)? },
        Kind::UserTooLarge(it) => Error::UserTooLarge { user: parse("user", &it.user)?, bytes: it.bytes },
        Kind::ManifestInvalid(_) | Kind::BodyBroken(_) | Kind::Moved(_) | Kind::Unavailable(_) | Kind::Internal(_) => {
            return Err(Malformed::Invalid { field: "kind of error", source: "it is not about content".into() });
        }
    })
}

/// The most names of what can be unavailable that are kept. There are a handful; another process must not be able to fill the memory.
const NAMES_MAX: usize = 64;

/// The same text for as long as the process lives: the contract names what is unavailable by texts of the program. Each is kept once.
fn lasting(what: &str) -> &'static str {
    static NAMES: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
    kept_in(&mut NAMES.lock(), what)
}

fn kept_in(names: &mut Vec<&'static str>, what: &str) -> &'static str {
    if let Some(known) = names.iter().find(|known| **known == what) {
        return known;
    }
    if what.len() > TEXT_BYTES_MAX || names.len() >= NAMES_MAX {
        return "storage node";
    }
    let kept: &'static str = Box::leak(what.to_owned().into_boxed_str());
    names.push(kept);
    kept
}

#[cfg(test)]
mod tests {
    use super::{NAMES_MAX, kept_in};

    #[test]
    fn names_are_kept_once_and_not_without_end() {
        let mut names = Vec::new();
        let first = kept_in(&mut names, "the metadata store");
        assert!(std::ptr::eq(first, kept_in(&mut names, "the metadata store")));
        for number in 0..=NAMES_MAX {
            kept_in(&mut names, &number.to_string());
        }
        assert_eq!(names.len(), NAMES_MAX);
        assert_eq!(kept_in(&mut names, "one too many"), "storage node");
        assert_eq!(kept_in(&mut names, "the metadata store"), "the metadata store");
    }
}
