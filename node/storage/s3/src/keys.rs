//! Where everything lies in the bucket: every key, drawn once.
//!
//! ```text
//! <prefix>_uploaded/<upload>/<nonce>           a blob, under a name that its upload chose, as its rows say; or the beginning of an upload in
//!                                               progress, which is the blob if nothing follows
//! <prefix>_own/<repository>/<algorithm>/<hex>  bytes that were at hand and that one repository has to itself
//! <prefix>_tails/<upload>/<nonce>              further bytes of an upload in progress that do not fill a part yet
//! <prefix><repository>/oci-layout, index.json   the repository as an OCI image layout: its manifests and tags,
//! <prefix><repository>/blobs/<algorithm>/<hex>   its manifests and what else is small, as content,
//! <prefix><repository>/_pointers/<algorithm>/<hex>.<size>
//!                                               and for all else the name of the object that holds it
//! <prefix><repository>/_kept/<algorithm>/<hex>   that content of a layout is what rows speak of: in a bucket that was zot's
//! <prefix><repository>/.index.json.zot           the index as it was found, if not all of it could be read into rows
//! ```
//!
//! The prefix is the configured root directory *twice*: zot's S3 driver prepends it to paths that begin with it already, so that this is where
//! the layouts of a bucket of zot's are (`/zot` → `zot/zot/<repository>/index.json`). Without a root directory there is no prefix.
//! No repository name has a component that starts with `_`, so nothing here collides.

use uuid::Uuid;
use zot_contract::UploadId;
use zot_oci::{Digest, RepositoryName};
use zot_storage::{BlobAddress, BlobKey, layouts::FOUND_INDEX_FILE};

/// Under which bytes lie that one repository has to itself.
const OWN: &str = "_own/";
/// Under which blobs lie.
const UPLOADED: &str = "_uploaded/";
/// Under which the unfinished ends of uploads lie.
const TAILS: &str = "_tails/";

/// What follows a repository's name before its content, its pointers and its marks, and in its index.
const CONTENTS: &str = "/blobs/";
const POINTERS: &str = "/_pointers/";
const KEPT: &str = "/_kept/";
const INDEX: &str = "/index.json";

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

    /// What the keys of blobs begin with.
    pub(crate) fn uploaded(&self) -> String {
        self.of(UPLOADED)
    }

    /// What the keys of bytes that one repository has to itself begin with.
    pub(crate) fn own(&self) -> String {
        self.of(OWN)
    }

    /// What the keys of tails begin with.
    pub(crate) fn tails(&self) -> String {
        self.of(TAILS)
    }

    /// What every key begins with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The name that a key was drawn for.
    pub(crate) fn name<'a>(&self, key: &'a str) -> Option<&'a str> {
        key.strip_prefix(&self.prefix)
    }

    /// The upload that a key of a tail or a blob belongs to.
    pub(crate) fn upload(&self, key: &str) -> Option<UploadId> {
        let name = self.name(key)?;
        let rest = name.strip_prefix(UPLOADED).or_else(|| name.strip_prefix(TAILS))?;
        rest.split('/').next()?.parse().ok()
    }
}

/// A new place for a blob. Nobody else has it, so that nothing that anybody else does to the same upload can end up there.
pub(crate) fn place(upload: UploadId) -> String {
    format!("{UPLOADED}{upload}/{}", Uuid::new_v4().simple())
}

/// Whether a name is a place: rows may speak of what is there.
pub(crate) fn is_place(name: &str) -> bool {
    name.starts_with(UPLOADED)
}

/// Whether a name is that of bytes that one repository has to itself.
pub(crate) fn is_own(name: &str) -> bool {
    let parts = name.strip_prefix(OWN).and_then(|rest| rest.rsplitn(3, '/').collect::<Vec<_>>().try_into().ok());
    parts.is_some_and(|[hex, algorithm, repository]: [&str; 3]| {
        repository.parse::<RepositoryName>().is_ok() && digest(&format!("{algorithm}/{hex}")).is_some()
    })
}

/// A new name for bytes of an upload. It is never written twice.
pub(crate) fn tail(upload: UploadId) -> String {
    format!("{TAILS}{upload}/{}", Uuid::new_v4().simple())
}

/// Below what the names of all tails, or of all places, of one upload lie.
pub(crate) fn of_upload(upload: UploadId) -> [String; 2] {
    [format!("{TAILS}{upload}/"), format!("{UPLOADED}{upload}/")]
}

/// The marker of a repository's layout.
pub(crate) fn marker(repository: &RepositoryName) -> String {
    format!("{repository}/oci-layout")
}

/// The index of a repository's layout.
pub(crate) fn index(repository: &RepositoryName) -> String {
    format!("{repository}{INDEX}")
}

/// The index of a repository's layout as it was found.
pub(crate) fn found_index(repository: &RepositoryName) -> String {
    format!("{repository}/{FOUND_INDEX_FILE}")
}

/// Content of a repository's layout.
pub(crate) fn content(repository: &RepositoryName, digest: &Digest) -> String {
    format!("{}{}/{}", contents(repository), digest.algorithm(), digest.hex())
}

/// Below what all content of a repository's layout lies.
pub(crate) fn contents(repository: &RepositoryName) -> String {
    format!("{repository}{CONTENTS}")
}

/// What says where content of a repository is that is not in its layout.
pub(crate) fn pointer(repository: &RepositoryName, digest: &Digest, size: u64) -> String {
    format!("{}{}/{}.{size}", pointers(repository), digest.algorithm(), digest.hex())
}

/// What the names of all pointers to content of a repository begin with.
pub(crate) fn pointers_to(repository: &RepositoryName, digest: &Digest) -> String {
    format!("{}{}/{}.", pointers(repository), digest.algorithm(), digest.hex())
}

/// The mark of content of a layout, given its name, that nobody may remove for being shown no longer.
pub(crate) fn kept(content: &str) -> Option<String> {
    let (repository, rest) = content.rsplit_once(CONTENTS)?;
    Some(format!("{repository}{KEPT}{rest}"))
}

/// Below what all pointers of a repository lie.
pub(crate) fn pointers(repository: &RepositoryName) -> String {
    format!("{repository}{POINTERS}")
}

/// The repository whose index has this name.
pub(crate) fn repository_of_index(name: &str) -> Option<RepositoryName> {
    name.strip_suffix(INDEX)?.parse().ok()
}

/// The digest of the content of any repository's layout that has this name.
pub(crate) fn digest_of_content(name: &str) -> Option<Digest> {
    let (_, rest) = name.rsplit_once(CONTENTS)?;
    digest(rest)
}

/// The digest and the size that a pointer of any repository with this name speaks of.
pub(crate) fn digest_of_pointer(name: &str) -> Option<(Digest, u64)> {
    let (_, rest) = name.rsplit_once(POINTERS)?;
    let (rest, size) = rest.split_once('.')?;
    Some((digest(rest)?, size.parse().ok()?))
}

fn digest(path: &str) -> Option<Digest> {
    let (algorithm, hex) = path.split_once('/')?;
    format!("{algorithm}:{hex}").parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zot_oci::Algorithm;

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
        let place = place(UploadId::random());
        assert_eq!(keys.at(&BlobAddress { key, place: place.clone() }), format!("r/r/{place}"));
    }

    #[test]
    fn keys_of_one_repository_are_known() {
        let digest = Digest::sha256(b"x");
        for repository in ["a", "a/b/c"] {
            assert!(is_own(BlobKey::own(&repository.parse().unwrap(), &digest).as_str()));
        }
        for name in [BlobKey::shared(&digest).as_str(), "_own/a", "_own/a/sha256/0", "_own/sha256/0", "_own//sha256/"] {
            assert!(!is_own(name), "{name}");
        }
    }

    #[test]
    fn keys_tell_their_upload() {
        let (keys, upload) = (Keys::new("r"), UploadId::random());
        for name in [place(upload), tail(upload)] {
            assert_eq!(keys.upload(&keys.of(&name)), Some(upload));
            assert!(of_upload(upload).iter().any(|prefix| name.starts_with(prefix)));
            assert_eq!(keys.upload(&name), None);
        }
        assert_eq!(keys.upload("r/r/_uploaded/else/1"), None);
        assert_ne!(place(upload), place(upload));
        assert!(is_place(&place(upload)) && !is_place(&tail(upload)));
    }

    #[test]
    fn names_in_a_layout_tell_what_they_are() {
        let (repository, digest) = ("a/blobs/b".parse().unwrap(), Digest::of(Algorithm::Sha512, b"x"));
        assert_eq!(repository_of_index(&index(&repository)), Some(repository.clone()));
        assert_eq!(digest_of_content(&content(&repository, &digest)), Some(digest));
        assert_eq!(digest_of_pointer(&pointer(&repository, &digest, 7)), Some((digest, 7)));
        assert!(pointer(&repository, &digest, 7).starts_with(&pointers_to(&repository, &digest)));
        assert_eq!(kept("a/blobs/b/blobs/sha256/00"), Some("a/blobs/b/_kept/sha256/00".to_owned()));
        for name in ["index.json", "_own/a/index.json", "a/_b/index.json", "A/index.json"] {
            assert_eq!(repository_of_index(name), None, "{name}");
        }
        assert_eq!(digest_of_content(&pointer(&repository, &digest, 7)), None);
        assert_eq!(digest_of_content("a/blobs/sha256/abc"), None);
        assert_eq!(digest_of_content(&format!("a/blobs/{digest}")), None);
        assert_eq!(digest_of_pointer(&content(&repository, &digest)), None);
    }

    /// Names of repositories, also those in which something else could be found.
    const REPOSITORY: &str = "(a|blobs|sha256|[a-z0-9]{1,4}(-[a-z0-9]{1,3})?)(/(blobs|kept|[a-z0-9]{1,4})){0,3}";
    /// What is nearly a name in a layout, or that of an upload or of bytes of one repository.
    const NEARLY: &str = "(r/r/)?(_own/|_uploaded/|_tails/)?[a-zA/_.]{0,6}(/blobs/|/_pointers/|/_kept/|/index.json)?(sha256[/:])?[0-9a-fA-F]{0,3}([0-9a-f]{64})?[./+0-9-]{0,4}";

    fn any_digest() -> impl Strategy<Value = Digest> {
        let algorithms = prop::sample::select(vec![Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512]);
        (algorithms, any::<[u8; 8]>()).prop_map(|(algorithm, bytes)| Digest::of(algorithm, &bytes))
    }

    proptest! {
        #[test]
        fn what_a_name_was_made_of_is_what_it_tells(repository in REPOSITORY, digest in any_digest(), size: u64, root in "/?(z(/y)?)?/?") {
            let (keys, repository) = (Keys::new(&root), repository.parse().unwrap());
            let names = [index(&repository), content(&repository, &digest), pointer(&repository, &digest, size)];
            for name in &names {
                let key = keys.of(name);
                prop_assert_eq!(keys.name(&key), Some(&**name));
            }
            let [index, content, pointer] = names;
            prop_assert_eq!(repository_of_index(&index), Some(repository.clone()));
            prop_assert_eq!((digest_of_content(&content), digest_of_pointer(&content)), (Some(digest), None));
            prop_assert_eq!((digest_of_content(&pointer), digest_of_pointer(&pointer)), (None, Some((digest, size))));
            prop_assert!(pointer.starts_with(&pointers_to(&repository, &digest)) && content.starts_with(&contents(&repository)));
            prop_assert_eq!(kept(&content), Some(format!("{repository}/_kept/{}/{}", digest.algorithm(), digest.hex())));
            prop_assert!(is_own(BlobKey::own(&repository, &digest).as_str()) && !is_own(BlobKey::shared(&digest).as_str()));
        }

        #[test]
        fn any_name_is_read_or_passed_over(name in prop_oneof![NEARLY, any::<String>()]) {
            let keys = Keys::new("r");
            prop_assert_eq!(keys.name(&name).map(|name| keys.of(name)), Some(name.clone()).filter(|name| name.starts_with("r/r/")));
            if let Some(repository) = repository_of_index(&name) {
                prop_assert_eq!(index(&repository), name.clone());
            }
            if let Some(digest) = digest_of_content(&name) {
                prop_assert!(name.ends_with(&format!("/blobs/{}/{}", digest.algorithm(), digest.hex())), "{name}");
            }
            if let Some((digest, _)) = digest_of_pointer(&name) {
                prop_assert!(name.contains(&format!("/_pointers/{}/{}.", digest.algorithm(), digest.hex())), "{name}");
            }
            if let Some(mark) = kept(&name) {
                prop_assert_eq!(digest_of_content(&mark), None);
            }
            prop_assert!(!is_own(&name) || !is_place(&name));
            let _ = keys.upload(&name);
        }
    }
}
