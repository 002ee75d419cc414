//! Why a manifest is none, on the wire.

use zot_oci::InvalidManifest;

use super::{Malformed, cause::cut};
use crate::v1::{self, manifest_invalid::Reason};

/// The fields that can make a manifest ambiguous.
const AMBIGUOUS_FIELDS: [&str; 3] = ["manifests", "layers", "config"];

impl From<&InvalidManifest> for v1::ManifestInvalid {
    fn from(invalid: &InvalidManifest) -> Self {
        let reason = match invalid {
            InvalidManifest::MediaType { media_type } => Reason::MediaType(cut(media_type)),
            InvalidManifest::Schema { reason } => Reason::Schema(cut(reason)),
            InvalidManifest::MediaTypeMismatch { inside, outside } => {
                Reason::MediaTypeMismatch(v1::MediaTypeMismatch { inside: cut(inside), outside: cut(outside) })
            }
            InvalidManifest::Ambiguous { found } => Reason::Ambiguous(cut(found)),
        };
        Self { reason: Some(reason) }
    }
}

impl TryFrom<v1::ManifestInvalid> for InvalidManifest {
    type Error = Malformed;

    fn try_from(wire: v1::ManifestInvalid) -> Result<Self, Malformed> {
        Ok(match wire.reason.ok_or(Malformed::Missing { field: "reason" })? {
            Reason::MediaType(media_type) => Self::MediaType { media_type },
            Reason::Schema(reason) => Self::Schema { reason },
            Reason::MediaTypeMismatch(types) => Self::MediaTypeMismatch { inside: types.inside, outside: types.outside },
            Reason::Ambiguous(field) => ambiguous(&field),
        })
    }
}

/// A newer process may know of fields that this one does not.
fn ambiguous(field: &str) -> InvalidManifest {
    match AMBIGUOUS_FIELDS.into_iter().find(|known| *known == field) {
        Some(found) => InvalidManifest::Ambiguous { found },
        None => InvalidManifest::Schema { reason: format!("it has `{field}`, which belongs to the other kind of manifest") },
    }
}
