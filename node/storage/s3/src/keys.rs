//! Where everything lies in the bucket: every key, drawn once.
//!
//! ```text
//! <prefix>_blobs/<algorithm>/<hh>/<hex>        a blob that fitted into one part, once
//! <prefix>_own/<repository>/<algorithm>/<hex>  bytes that one repository has to itself
//! <prefix>_large/<upload>/<nonce>              a larger blob, under the name that its upload began with: its rows say so
//! <prefix>_tails/<upload>/<nonce>              bytes of an upload in progress that do not fill a part yet
//! <prefix><repository>/…                       the repository as an OCI image layout
//! ```
//!
//! The prefix is the configured root directory *twice*: zot's S3 driver prepends it to paths that begin with it already, so that this is where
//! the layouts of a bucket of zot's are (`/zot` → `zot/zot/<repository>/index.json`). Without a root directory there is no prefix.
//! No repository name has a component that starts with `_`, so nothing here collides.

use uuid::Uuid;
use zot_contract::UploadId;
use zot_storage::{BlobAddress, BlobKey};

/// Under which larger blobs lie.
const LARGE: &str = "_large/";
/// Under which the unfinished ends of uploads lie.
const TAILS: &str = "_tails/";

/// Draws keys below one prefix.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    prefix: String,
}

impl Keys {
    pub(crate) fn new(root_directory: &str) -> Self {
        let root = root_directory.trim_matches('/');
        let prefix = if root.is_empty() { String::new() } else { format!("{root}/{root}/") };
        Self { prefix }
    }

    /// The key of a name: that of a blob, a place, or a tail.
    pub(crate) fn of(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(crate) fn blob(&self, key: &BlobKey) -> String {
        self.of(key.as_str())
    }

    pub(crate) fn at(&self, address: &BlobAddress) -> String {
        self.of(address.as_str())
    }

    /// What the keys of larger blobs begin with.
    pub(crate) fn large(&self) -> String {
        self.of(LARGE)
    }

    /// What the keys of tails begin with.
    pub(crate) fn tails(&self) -> String {
        self.of(TAILS)
    }

    /// The name that a key was drawn for.
    pub(crate) fn name<'a>(&self, key: &'a str) -> Option<&'a str> {
        key.strip_prefix(&self.prefix)
    }

    /// The upload that a key of a tail or a larger blob belongs to.
    pub(crate) fn upload(&self, key: &str) -> Option<UploadId> {
        let name = self.name(key)?;
        let rest = name.strip_prefix(LARGE).or_else(|| name.strip_prefix(TAILS))?;
        rest.split('/').next()?.parse().ok()
    }
}

/// A new place for a larger blob. Nobody else has it, so that nothing that anybody else does to the same upload can end up there.
pub(crate) fn large(upload: UploadId) -> String {
    format!("{LARGE}{upload}/{}", Uuid::new_v4().simple())
}

/// A new name for bytes of an upload. It is never written twice.
pub(crate) fn tail(upload: UploadId) -> String {
    format!("{TAILS}{upload}/{}", Uuid::new_v4().simple())
}

/// Below what the names of all tails, or of all larger blobs, of one upload lie.
pub(crate) fn of_upload(upload: UploadId) -> [String; 2] {
    [format!("{TAILS}{upload}/"), format!("{LARGE}{upload}/")]
}

#[cfg(test)]
mod tests {
    use zot_oci::Digest;

    use super::*;

    #[test]
    fn the_prefix_is_where_zot_keeps_its_layouts() {
        for root in ["/zot", "zot", "zot/", "/zot/"] {
            assert_eq!(Keys::new(root).of("app/index.json"), "zot/zot/app/index.json");
        }
        assert_eq!(Keys::new("/a/b").of("app/index.json"), "a/b/a/b/app/index.json");
        for root in ["", "/"] {
            assert_eq!(Keys::new(root).of("app/index.json"), "app/index.json");
        }
    }

    #[test]
    fn blobs_are_under_their_key_or_at_their_place() {
        let (keys, digest) = (Keys::new("r"), Digest::sha256(b"x"));
        let key = BlobKey::shared(&digest);
        assert_eq!(keys.blob(&key), format!("r/r/{}", key.as_str()));
        assert_eq!(keys.at(&key.clone().into()), keys.blob(&key));
        let place = large(UploadId::random());
        assert_eq!(keys.at(&BlobAddress { key, place: place.clone() }), format!("r/r/{place}"));
    }

    #[test]
    fn keys_tell_their_upload() {
        let (keys, upload) = (Keys::new("r"), UploadId::random());
        for name in [large(upload), tail(upload)] {
            assert_eq!(keys.upload(&keys.of(&name)), Some(upload));
            assert!(of_upload(upload).iter().any(|prefix| name.starts_with(prefix)));
            assert_eq!(keys.upload(&name), None);
        }
        assert_eq!(keys.upload("r/r/_large/else/1"), None);
        assert_ne!(large(upload), large(upload));
    }
}
