//! Every path that is served, and nothing else: a pure function from path to [`Route`], one variant per endpoint of the specification.

mod requirement;

use std::fmt;

use zot_contract::UploadId;
use zot_oci::{Digest, InvalidDigest, InvalidName, InvalidReference, InvalidTag, Reference, RepositoryName};

use super::percent::{InvalidEscape, decode_path};

pub(crate) use requirement::Requirement;

/// What the path of a callback begins with.
const CALLBACK: &str = "/zot/auth/callback/";

/// What a path names, whatever the method. Its `Display` is the path, so that it also makes the `Location` headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/v2/` (end-1).
    Base,
    /// `/v2/_catalog`.
    Catalog,
    /// `/v2/_oci/ext/discover`.
    Discover,
    /// `/v2/<name>/tags/list` (end-8).
    Tags {
        /// The repository.
        repository: RepositoryName,
    },
    /// `/v2/<name>/manifests/<reference>` (end-3, end-7, end-9).
    Manifest {
        /// The repository.
        repository: RepositoryName,
        /// The tag or digest.
        reference: Reference,
    },
    /// `/v2/<name>/blobs/<digest>` (end-2, end-10).
    Blob {
        /// The repository.
        repository: RepositoryName,
        /// The blob.
        digest: Digest,
    },
    /// `/v2/<name>/blobs/uploads/` (end-4, end-11).
    Uploads {
        /// The repository.
        repository: RepositoryName,
    },
    /// `/v2/<name>/blobs/uploads/<id>` (end-5, end-6, end-13, end-14).
    Upload {
        /// The repository.
        repository: RepositoryName,
        /// The upload.
        upload: UploadId,
    },
    /// `/v2/<name>/referrers/<digest>` (end-12).
    Referrers {
        /// The repository.
        repository: RepositoryName,
        /// The manifest that is referred to.
        subject: Digest,
    },
    /// `/zot/auth/login`: sends a browser to where its user logs in.
    Login,
    /// `/zot/auth/callback/<provider>`: where it comes back.
    Callback {
        /// Where its user logged in, by the name in the configuration.
        provider: String,
    },
    /// `/zot/auth/logout`: ends a session.
    Logout,
    /// `/zot/auth/apikey`: the API keys of a user.
    ApiKeys,
    /// `/zot/auth/token`: exchanges credentials for a token.
    Token,
    /// `/livez`.
    Live,
    /// `/readyz`.
    Ready,
    /// `/startupz`.
    Started,
}

/// Why a path names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unroutable {
    /// No endpoint has such a path.
    #[error("no endpoint has this path")]
    Unknown,
    /// An escape in it is not acceptable.
    #[error(transparent)]
    Escape(InvalidEscape),
    /// An endpoint of a repository, but the repository's name breaks the grammar.
    #[error(transparent)]
    Name(InvalidName),
    /// A digest is needed, and this is none.
    #[error(transparent)]
    Digest(InvalidDigest),
    /// A tag or digest is needed, and this is neither; without a colon a tag was meant.
    #[error(transparent)]
    Tag(InvalidTag),
    /// An upload is needed, and this cannot be one of ours.
    #[error("upload is unknown")]
    Upload,
}

impl Route {
    /// Parses the path of a request's target, without its query.
    pub(crate) fn parse(path: &str) -> Result<Self, Unroutable> {
        let path = decode_path(path).map_err(Unroutable::Escape)?;
        match path.as_ref() {
            "/v2" | "/v2/" => Ok(Self::Base),
            "/v2/_catalog" => Ok(Self::Catalog),
            "/v2/_oci/ext/discover" => Ok(Self::Discover),
            "/zot/auth/login" => Ok(Self::Login),
            "/zot/auth/logout" => Ok(Self::Logout),
            "/zot/auth/apikey" => Ok(Self::ApiKeys),
            "/zot/auth/token" => Ok(Self::Token),
            "/livez" => Ok(Self::Live),
            "/readyz" => Ok(Self::Ready),
            "/startupz" => Ok(Self::Started),
            path if path.starts_with(CALLBACK) => Self::callback(&path[CALLBACK.len()..]),
            path => Self::of_repository(path.strip_prefix("/v2/").ok_or(Unroutable::Unknown)?),
        }
    }

    fn callback(provider: &str) -> Result<Self, Unroutable> {
        if provider.is_empty() || provider.contains('/') {
            return Err(Unroutable::Unknown);
        }
        Ok(Self::Callback { provider: provider.to_owned() })
    }

    /// A name may contain slashes and the words of other endpoints; what comes last decides.
    fn of_repository(path: &str) -> Result<Self, Unroutable> {
        if let Some(name) = path.strip_suffix("/tags/list") {
            return Ok(Self::Tags { repository: named(name)? });
        }
        if let Some(name) = path.strip_suffix("/blobs/uploads").or_else(|| path.strip_suffix("/blobs/uploads/")) {
            return Ok(Self::Uploads { repository: named(name)? });
        }
        let (head, last) = path.rsplit_once('/').ok_or(Unroutable::Unknown)?;
        let (name, kind) = head.rsplit_once('/').ok_or(Unroutable::Unknown)?;
        match kind {
            "manifests" => Self::manifest(named(name)?, last),
            "blobs" => Ok(Self::Blob { repository: named(name)?, digest: last.parse().map_err(Unroutable::Digest)? }),
            "uploads" => Self::upload(name.strip_suffix("/blobs").ok_or(Unroutable::Unknown)?, last),
            "referrers" => Ok(Self::Referrers { repository: named(name)?, subject: last.parse().map_err(Unroutable::Digest)? }),
            _ => Err(Unroutable::Unknown),
        }
    }

    fn manifest(repository: RepositoryName, reference: &str) -> Result<Self, Unroutable> {
        let reference = reference.parse().map_err(|invalid| match invalid {
            InvalidReference::Digest(invalid) => Unroutable::Digest(invalid),
            InvalidReference::Tag(invalid) => Unroutable::Tag(invalid),
        })?;
        Ok(Self::Manifest { repository, reference })
    }

    fn upload(name: &str, id: &str) -> Result<Self, Unroutable> {
        Ok(Self::Upload { repository: named(name)?, upload: id.parse().map_err(|_| Unroutable::Upload)? })
    }

    /// The methods of the endpoint, as an `Allow` header lists them (RFC 9110 section 10.2.1).
    pub(crate) fn allow(&self) -> &'static str {
        match self {
            Self::Base | Self::Catalog | Self::Discover | Self::Tags { .. } | Self::Referrers { .. } => "GET, HEAD, OPTIONS",
            Self::Manifest { .. } => "GET, HEAD, PUT, DELETE, OPTIONS",
            Self::Blob { .. } => "GET, HEAD, DELETE",
            Self::Uploads { .. } => "POST",
            Self::Upload { .. } => "GET, HEAD, PATCH, PUT, DELETE",
            // They change something: whoever only looks must not.
            Self::Login | Self::Callback { .. } => "GET",
            Self::Logout => "POST, OPTIONS",
            Self::ApiKeys => "GET, HEAD, POST, DELETE, OPTIONS",
            Self::Token => "GET, HEAD, POST, OPTIONS",
            Self::Live | Self::Ready | Self::Started => "GET, HEAD",
        }
    }
}

fn named(name: &str) -> Result<RepositoryName, Unroutable> {
    name.parse().map_err(Unroutable::Name)
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => f.write_str("/v2/"),
            Self::Catalog => f.write_str("/v2/_catalog"),
            Self::Discover => f.write_str("/v2/_oci/ext/discover"),
            Self::Tags { repository } => write!(f, "/v2/{repository}/tags/list"),
            Self::Manifest { repository, reference } => write!(f, "/v2/{repository}/manifests/{reference}"),
            Self::Blob { repository, digest } => write!(f, "/v2/{repository}/blobs/{digest}"),
            Self::Uploads { repository } => write!(f, "/v2/{repository}/blobs/uploads/"),
            Self::Upload { repository, upload } => write!(f, "/v2/{repository}/blobs/uploads/{upload}"),
            Self::Referrers { repository, subject } => write!(f, "/v2/{repository}/referrers/{subject}"),
            Self::Login => f.write_str("/zot/auth/login"),
            Self::Callback { provider } => write!(f, "{CALLBACK}{provider}"),
            Self::Logout => f.write_str("/zot/auth/logout"),
            Self::ApiKeys => f.write_str("/zot/auth/apikey"),
            Self::Token => f.write_str("/zot/auth/token"),
            Self::Live => f.write_str("/livez"),
            Self::Ready => f.write_str("/readyz"),
            Self::Started => f.write_str("/startupz"),
        }
    }
}

#[cfg(test)]
mod tests;
