//! The vocabulary of the OCI distribution and image specifications as types that exist only when valid.
//!
//! Everything here is pure: no I/O, no clock, no allocation of more than its input. Strings are parsed once, at the edge, and never again inside.

mod descriptor;
mod digest;
mod error_code;
mod hasher;
mod manifest;
mod media_type;
mod name;
#[cfg(test)]
mod properties;
mod range;
mod reference;
mod tag;

pub use descriptor::{Annotations, Descriptor};
pub use digest::{Algorithm, Digest, InvalidDigest};
pub use error_code::ErrorCode;
pub use hasher::{Hasher, InvalidHashState, STREAMS_TOGETHER};
pub use manifest::{InvalidManifest, MANIFEST_DEPTH_MAX, Manifest, ManifestKind};
pub use media_type::{InvalidMediaType, MediaType, media_types};
pub use name::{InvalidName, NAME_LENGTH_MAX, RepositoryName};
pub use range::{ByteRange, RangeError, RangeRequest};
pub use reference::{InvalidReference, Reference};
pub use tag::{InvalidTag, TAG_LENGTH_MAX, Tag};
