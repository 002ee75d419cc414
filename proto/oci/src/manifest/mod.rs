//! Manifests: what a registry has to understand of a pushed document (image-spec, "Image Manifest" and "Image Index").

mod keys;

use serde::Deserialize;

use self::keys::check_keys;
use crate::{Annotations, Descriptor, MediaType, descriptor::null_is_empty, media_types};

/// The deepest nesting of JSON accepted in a manifest. Real ones have about six levels; the bound keeps hostile ones from using up the stack.
pub const MANIFEST_DEPTH_MAX: usize = 64;

/// The two shapes of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestKind {
    /// One image or artifact: a config and layers.
    Image,
    /// An index of other manifests.
    Index,
}

impl ManifestKind {
    /// The shape that a media type names, or nothing if it names no manifest.
    pub fn of(media_type: &MediaType) -> Option<Self> {
        if *media_type == media_types::OCI_MANIFEST || *media_type == media_types::DOCKER_MANIFEST {
            Some(Self::Image)
        } else if *media_type == media_types::OCI_INDEX || *media_type == media_types::DOCKER_MANIFEST_LIST {
            Some(Self::Index)
        } else {
            None
        }
    }
}

/// What a valid manifest says, as far as a registry acts on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its shape.
    pub kind: ManifestKind,
    /// The content that must be in the repository before the manifest is accepted: config and layers, without non-distributable ones.
    pub blobs: Vec<Descriptor>,
    /// The manifests that an index lists. They may be absent (a sparse index).
    pub children: Vec<Descriptor>,
    /// The manifest that this one refers to.
    pub subject: Option<Descriptor>,
    /// The type under which it is listed as a referrer: `artifactType`, or for an image its config's media type.
    pub artifact_type: Option<String>,
    /// Its annotations.
    pub annotations: Annotations,
}

/// Why bytes are not a valid manifest.
#[derive(Debug, thiserror::Error)]
pub enum InvalidManifest {
    /// The media type names no manifest.
    #[error("unsupported manifest media type `{media_type}`")]
    MediaType {
        /// The media type.
        media_type: String,
    },
    /// Not JSON, or not of the shape that the media type promises.
    #[error("manifest does not follow its schema: {reason}")]
    Schema {
        /// What is wrong, and where.
        reason: String,
    },
    /// `mediaType` in the document and `Content-Type` differ.
    #[error("manifest says it is `{inside}` but was sent as `{outside}`")]
    MediaTypeMismatch {
        /// What the document says.
        inside: String,
        /// What the request says.
        outside: String,
    },
    /// The document could be read both as an image and as an index (GHSA-mc8v-mgrf-8f4m).
    #[error("manifest is ambiguous: it has `{found}`, which belongs to the other kind of manifest")]
    Ambiguous {
        /// The field that does not belong.
        found: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    #[serde(default, deserialize_with = "null_is_empty")]
    annotations: Annotations,
}

impl Manifest {
    /// Parses the bytes of a manifest that was sent as `media_type`.
    pub fn parse(media_type: &MediaType, bytes: &[u8]) -> Result<Self, InvalidManifest> {
        let kind = ManifestKind::of(media_type).ok_or_else(|| InvalidManifest::MediaType { media_type: media_type.to_string() })?;
        check_depth(bytes)?;
        check_keys(bytes)?;
        let document: Document = serde_json::from_slice(bytes).map_err(|error| InvalidManifest::Schema { reason: error.to_string() })?;
        document.check(kind, media_type)?;
        Ok(document.into_manifest(kind, media_type))
    }
}

impl Document {
    fn check(&self, kind: ManifestKind, media_type: &MediaType) -> Result<(), InvalidManifest> {
        if self.schema_version != 2 {
            return Err(schema(format!("`schemaVersion` must be 2, is {}", self.schema_version)));
        }
        let inside = self.media_type.as_deref().filter(|inside| !inside.is_empty());
        if let Some(inside) = inside.filter(|inside| inside.parse::<MediaType>().ok().as_ref() != Some(media_type)) {
            return Err(InvalidManifest::MediaTypeMismatch { inside: inside.to_owned(), outside: media_type.to_string() });
        }
        match kind {
            ManifestKind::Image if self.manifests.is_some() => Err(InvalidManifest::Ambiguous { found: "manifests" }),
            ManifestKind::Image if self.config.is_none() => Err(schema("`config` is missing".to_owned())),
            ManifestKind::Index if self.layers.is_some() => Err(InvalidManifest::Ambiguous { found: "layers" }),
            ManifestKind::Index if self.config.is_some() => Err(InvalidManifest::Ambiguous { found: "config" }),
            ManifestKind::Index if self.manifests.is_none() => Err(schema("`manifests` is missing".to_owned())),
            _ => Ok(()),
        }
    }

    fn into_manifest(self, kind: ManifestKind, media_type: &MediaType) -> Manifest {
        let config_type = self.config.as_ref().map(|config| config.media_type.clone());
        let is_oci = *media_type == media_types::OCI_MANIFEST || *media_type == media_types::OCI_INDEX;
        let layers = self.layers.unwrap_or_default().into_iter().filter(|layer| is_distributable(&layer.media_type));
        Manifest {
            kind,
            blobs: self.config.into_iter().chain(layers).collect(),
            children: self.manifests.unwrap_or_default(),
            // Docker's types know no subject.
            subject: self.subject.filter(|_| is_oci),
            artifact_type: self.artifact_type.filter(|text| !text.is_empty()).or(config_type),
            annotations: self.annotations,
        }
    }
}

/// Non-distributable layers stay where their `urls` say (image-spec, "Non-Distributable Layers"; docker's foreign layers).
fn is_distributable(media_type: &str) -> bool {
    !media_type.contains(".nondistributable.") && !media_type.contains("rootfs.foreign.")
}

fn schema(reason: String) -> InvalidManifest {
    InvalidManifest::Schema { reason }
}

fn check_depth(bytes: &[u8]) -> Result<(), InvalidManifest> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MANIFEST_DEPTH_MAX {
            return Err(schema(format!("nested deeper than {MANIFEST_DEPTH_MAX} levels")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
