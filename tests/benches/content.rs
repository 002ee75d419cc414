//! What is pushed: blobs of any size whose bytes are unique and whose digest costs the client next to
//! nothing, and the images made of them.

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use sha2::{Digest, Sha256};

/// Bytes that are repeated to fill a blob: small enough to stay in a core's cache while it is sent.
const PATTERN_BYTES: usize = 1 << 20;
const STAMP_BYTES: usize = 16;

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// All blobs of one size: they differ in their last bytes only, so that the hash state of what they
/// share is computed once.
#[derive(Debug)]
pub(crate) struct Family {
    pattern: Arc<[u8]>,
    shared_bytes: u64,
    shared_state: Sha256,
}

impl Family {
    /// Prepares blobs of `bytes` bytes, at least as many as a stamp has.
    pub(crate) fn new(bytes: u64) -> Arc<Self> {
        let pattern = pattern();
        let shared_bytes = bytes.saturating_sub(STAMP_BYTES as u64);
        let mut shared_state = Sha256::new();
        let mut left = shared_bytes;
        while left > 0 {
            let piece = left.min(pattern.len() as u64);
            shared_state.update(&pattern[..piece as usize]);
            left -= piece;
        }
        Arc::new(Self { pattern, shared_bytes, shared_state })
    }

    /// A blob that no other call has returned.
    pub(crate) fn unique(self: &Arc<Self>) -> Blob {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut stamp = [0; STAMP_BYTES];
        stamp[..8].copy_from_slice(&number.to_be_bytes());
        stamp[8..].copy_from_slice(&u64::from(std::process::id()).to_be_bytes());
        let digest = self.shared_state.clone().chain_update(stamp).finalize();
        Blob { family: Arc::clone(self), stamp, digest: named(&digest) }
    }

    /// A number of blobs that no other call has returned.
    pub(crate) fn several(self: &Arc<Self>, count: usize) -> Arc<[Blob]> {
        (0..count).map(|_| self.unique()).collect()
    }
}

/// One blob: its bytes exist only as slices of the pattern and a stamp.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    family: Arc<Family>,
    stamp: [u8; STAMP_BYTES],
    pub(crate) digest: String,
}

impl Blob {
    /// Length in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.family.shared_bytes + STAMP_BYTES as u64
    }

    /// Appends the pieces whose concatenation is the blob, none longer than `piece_max` bytes.
    pub(crate) fn pieces<'a>(&'a self, piece_max: usize, to: &mut Vec<IoSlice<'a>>) {
        let pattern = &self.family.pattern;
        let mut at = 0;
        while at < self.family.shared_bytes {
            let start = (at % pattern.len() as u64) as usize;
            let room = (pattern.len() - start).min(piece_max) as u64;
            let length = room.min(self.family.shared_bytes - at);
            to.push(IoSlice::new(&pattern[start..start + length as usize]));
            at += length;
        }
        to.push(IoSlice::new(&self.stamp));
    }
}

/// An image manifest with what it names.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) layers: Vec<Blob>,
    pub(crate) config: Vec<u8>,
    pub(crate) manifest: Vec<u8>,
}

impl Image {
    /// An image of these layers; `label` makes its config differ from that of any other.
    pub(crate) fn new(layers: Vec<Blob>, label: &str) -> Self {
        let diff_ids: Vec<_> = layers.iter().map(|layer| &layer.digest).collect();
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": { "Cmd": ["/bin/true"], "Labels": { "bench": label } },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        })
        .to_string()
        .into_bytes();
        let manifest = manifest(&layers, &config, label);
        Self { layers, config, manifest }
    }

    /// Bytes of all parts together.
    pub(crate) fn size(&self) -> u64 {
        let layers: u64 = self.layers.iter().map(Blob::size).sum();
        layers + (self.config.len() + self.manifest.len()) as u64
    }
}

/// A manifest over these layers and this config; `label` makes it differ from any other.
pub(crate) fn manifest(layers: &[Blob], config: &[u8], label: &str) -> Vec<u8> {
    let layers: Vec<_> = layers.iter().map(|layer| json!({ "mediaType": LAYER, "digest": layer.digest, "size": layer.size() })).collect();
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": { "mediaType": CONFIG, "digest": digest(config), "size": config.len() },
        "layers": layers,
        "annotations": { "bench": label },
    })
    .to_string()
    .into_bytes()
}

/// The digest of `bytes` in the form of the specification.
pub(crate) fn digest(bytes: &[u8]) -> String {
    named(&Sha256::digest(bytes))
}

fn named(digest: &[u8]) -> String {
    format!("sha256:{}", hex::encode(digest))
}

/// Bytes that do not compress, the same in every run (xorshift64).
fn pattern() -> Arc<[u8]> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(PATTERN_BYTES / 8).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(blob: &Blob, piece_max: usize) -> Vec<u8> {
        let mut pieces = Vec::new();
        blob.pieces(piece_max, &mut pieces);
        pieces.iter().flat_map(|piece| piece.iter().copied()).collect()
    }

    #[test]
    fn a_blob_hashes_to_its_digest_however_it_is_cut() {
        for size in [16, 17, 1024, (1 << 20) + 16, (1 << 20) + 17, 3_000_000] {
            let blob = Family::new(size).unique();
            for piece_max in [1 << 16, 1 << 20] {
                let bytes = bytes_of(&blob, piece_max);
                assert_eq!(bytes.len() as u64, blob.size());
                assert_eq!(digest(&bytes), blob.digest);
            }
        }
    }

    #[test]
    fn no_two_blobs_are_equal() {
        let family = Family::new(64);
        assert_ne!(family.unique().digest, family.unique().digest);
    }

    #[test]
    fn an_image_names_the_digests_of_its_parts() {
        let image = Image::new(vec![Family::new(64).unique()], "one");
        let manifest: serde_json::Value = serde_json::from_slice(&image.manifest).unwrap();
        assert_eq!(manifest["config"]["digest"], digest(&image.config));
        assert_eq!(manifest["layers"][0]["digest"], image.layers[0].digest);
    }
}
