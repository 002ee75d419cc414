//! Things to push: blobs that are the same in every run, manifests built field by field.

use bytes::Bytes;
use serde_json::{Value, json};
use zot_oci::{Descriptor, Digest, MediaType, RepositoryName, Tag, media_types};

use crate::{Context, ManifestPush, RequestId, Subject};

/// The media type of an image's config.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The media type of a layer.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// The context of a call by `user`; the empty name is the anonymous subject.
pub fn context(user: &str) -> Context {
    Context::new(Subject::of_name(user), RequestId::new("suite"))
}

/// The repository of that name, which must be valid.
pub fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

/// The tag of that name, which must be valid.
pub fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

/// `length` bytes that do not compress, always the same for one seed.
pub fn blob_of(seed: u64, length: usize) -> Bytes {
    let mut state = seed;
    let words = std::iter::repeat_with(move || {
        // SplitMix64 (Steele, Lea, Flood 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    });
    words.flat_map(u64::to_le_bytes).take(length).collect()
}

/// A pointer to `bytes`.
pub fn describe(media_type: &str, bytes: &[u8]) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        digest: Digest::sha256(bytes),
        size: bytes.len() as u64,
        artifact_type: None,
        annotations: Default::default(),
    }
}

/// The push of any bytes under their SHA-256 digest.
pub fn push_of(media_type: &MediaType, bytes: impl Into<Bytes>, tags: &[&str]) -> ManifestPush {
    let bytes = bytes.into();
    let tags = tags.iter().map(|name| tag(name).into()).collect();
    ManifestPush { digest: Digest::sha256(&bytes), tags, media_type: media_type.clone(), bytes }
}

/// A manifest that is being written.
#[derive(Debug, Clone)]
pub struct Document {
    media_type: MediaType,
    fields: Value,
}

impl Document {
    /// An OCI image manifest.
    pub fn image(config: &Descriptor, layers: &[Descriptor]) -> Self {
        Self::new(media_types::OCI_MANIFEST, json!({ "config": config, "layers": layers }))
    }

    /// An OCI image index.
    pub fn index(children: &[Descriptor]) -> Self {
        Self::new(media_types::OCI_INDEX, json!({ "manifests": children }))
    }

    /// A manifest of any type. `schemaVersion` and `mediaType` are set here.
    pub fn new(media_type: MediaType, fields: Value) -> Self {
        let document = Self { media_type, fields };
        let media_type = document.media_type.to_string();
        document.with("schemaVersion", 2.into()).with("mediaType", media_type.into())
    }

    /// The same manifest, referring to `subject`.
    pub fn subject(self, subject: &Descriptor) -> Self {
        self.with("subject", json!(subject))
    }

    /// The same manifest, of an artifact type.
    pub fn artifact_type(self, artifact_type: &str) -> Self {
        self.with("artifactType", artifact_type.into())
    }

    /// The same manifest, with one more annotation.
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.fields["annotations"][key] = value.into();
        self
    }

    /// The same manifest, with `field` set.
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.fields[field] = value;
        self
    }

    /// A pointer to the manifest.
    pub fn descriptor(&self) -> Descriptor {
        describe(self.media_type.as_str(), self.fields.to_string().as_bytes())
    }

    /// The push of the manifest with `tags`.
    pub fn push(&self, tags: &[&str]) -> ManifestPush {
        push_of(&self.media_type, self.fields.to_string(), tags)
    }
}
