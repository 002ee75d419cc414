//! Content to push: bytes that follow from a seed, manifests around them, and their digests.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

/// The media types that tests write most.
pub mod media_type {
    /// An image manifest.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An image index.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// The configuration of an image.
    pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// A layer, uncompressed.
    pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// Content that says nothing.
    pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
    /// Docker's image manifest.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker's index.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// Docker's image configuration.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// Docker's layer.
    pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
}

/// The sha256 digest of `bytes`, as OCI writes it.
pub fn digest_of(bytes: &[u8]) -> String {
    let mut hash = Sha256::default();
    hash.update(bytes);
    hash.digest()
}

/// A sha256 digest in the making, for content that is never held whole.
#[derive(Default)]
pub struct Sha256(sha2::Sha256);

impl Sha256 {
    /// Takes in what follows.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all that was taken in, as OCI writes it.
    pub fn digest(self) -> String {
        format!("sha256:{}", hex::encode(self.0.finalize()))
    }
}

/// The sha512 digest of `bytes`, as OCI writes it.
pub fn sha512_of(bytes: &[u8]) -> String {
    format!("sha512:{}", hex::encode(Sha512::digest(bytes)))
}

/// `length` bytes that follow from `seed` and do not compress.
pub fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        // xorshift64*: cheap, and even neighbouring seeds share nothing.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A manifest or index as it is pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// What it is.
    pub media_type: String,
    /// Its bytes, exactly.
    pub bytes: Vec<u8>,
}

impl Manifest {
    /// A manifest whose media type is what `json` says, or an image manifest.
    pub fn new(json: &Value) -> Self {
        let media_type = json["mediaType"].as_str().unwrap_or(media_type::MANIFEST).to_owned();
        Self { media_type, bytes: json.to_string().into_bytes() }
    }

    /// An index of `children`, whether or not they are in the registry.
    pub fn index(children: &[Value]) -> Self {
        Self::new(&json!({"schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": children}))
    }

    /// Its sha256 digest.
    pub fn digest(&self) -> String {
        digest_of(&self.bytes)
    }

    /// What an index or a subject says of it.
    pub fn descriptor(&self) -> Value {
        descriptor(&self.media_type, &self.bytes)
    }
}

/// What a manifest says of `bytes`.
pub fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": digest_of(bytes), "size": bytes.len()})
}

/// An image: a manifest and the blobs it needs.
#[derive(Debug, Clone)]
pub struct Image {
    /// The manifest.
    pub manifest: Manifest,
    /// Its configuration.
    pub config: Vec<u8>,
    /// Its layers.
    pub layers: Vec<Vec<u8>>,
}

impl Image {
    /// An image of one small layer, different for every `seed`.
    pub fn small(seed: u64) -> Self {
        Self::with_layers(seed, vec![bytes(seed, 1000)])
    }

    /// An image of these layers; `seed` makes its configuration, hence its digest, its own.
    pub fn with_layers(seed: u64, layers: Vec<Vec<u8>>) -> Self {
        let config = json!({"architecture": "amd64", "os": "linux", "author": seed.to_string(), "rootfs": {
            "type": "layers",
            "diff_ids": layers.iter().map(|layer| digest_of(layer)).collect::<Vec<_>>(),
        }});
        let config = config.to_string().into_bytes();
        let manifest = Manifest::new(&json!({
            "schemaVersion": 2,
            "mediaType": media_type::MANIFEST,
            "config": descriptor(media_type::CONFIG, &config),
            "layers": layers.iter().map(|layer| descriptor(media_type::LAYER, layer)).collect::<Vec<_>>(),
        }));
        Self { manifest, config, layers }
    }

    /// An artifact of type `artifact_type` that refers to `subject`; what it needs is the empty blob only.
    pub fn artifact(artifact_type: &str, seed: u64, subject: Option<&Value>) -> Self {
        let config = b"{}".to_vec();
        let empty = descriptor(media_type::EMPTY, &config);
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type::MANIFEST,
            "artifactType": artifact_type,
            "config": empty,
            "layers": [empty],
            "annotations": {"org.example.seed": seed.to_string()},
        });
        if let Some(subject) = subject {
            manifest["subject"] = subject.clone();
        }
        Self { manifest: Manifest::new(&manifest), config, layers: Vec::new() }
    }

    /// Every blob that must be there before the manifest is.
    pub fn blobs(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(self.config.as_slice()).chain(self.layers.iter().map(Vec::as_slice))
    }

    /// The manifest's digest.
    pub fn digest(&self) -> String {
        self.manifest.digest()
    }
}
