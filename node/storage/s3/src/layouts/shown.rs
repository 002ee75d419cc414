//! What a layout shows, and what zot left in it.

use std::{collections::HashMap, time::SystemTime};

use zot_oci::{Digest, RepositoryName};
use zot_storage::Result;

use crate::{keys, store::Store};

/// Content that a layout shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// The name of the object that is the content, or points to it.
    pub(super) name: String,
    pub(super) is_pointer: bool,
    /// The size of the content.
    pub(super) size: u64,
    pub(super) since: Option<SystemTime>,
}

impl Shown {
    /// Whether zot left an empty object here because the content is in another repository.
    pub(super) fn is_placeholder(&self, digest: &Digest) -> bool {
        !self.is_pointer && self.size == 0 && *digest != Digest::of(digest.algorithm(), b"")
    }
}

/// Everything in the layout of a repository, by digest. Content counts before pointers.
pub(super) async fn list(store: &Store, repository: &RepositoryName) -> Result<HashMap<Digest, Shown>> {
    let (keys, mut found) = (&store.keys, HashMap::new());
    for object in store.bucket.list(&keys.of(&keys::pointers(repository))).await? {
        let Some(name) = keys.name(&object.what) else { continue };
        let pointed = keys::digest_of_pointer(name).filter(|(digest, size)| keys::pointer(repository, digest, *size) == name);
        let shown = |size| Shown { name: name.to_owned(), is_pointer: true, size, since: object.since };
        found.extend(pointed.map(|(digest, size)| (digest, shown(size))));
    }
    for object in store.bucket.list(&keys.of(&keys::contents(repository))).await? {
        let Some(name) = keys.name(&object.what) else { continue };
        let digest = keys::digest_of_content(name).filter(|digest| keys::content(repository, digest) == name);
        let shown = Shown { name: name.to_owned(), is_pointer: false, size: object.size, since: object.since };
        found.extend(digest.map(|digest| (digest, shown)));
    }
    Ok(found)
}

/// Where content is that other repositories have as empty objects only: zot stores the same content once.
#[derive(Debug)]
pub(super) struct Originals(HashMap<Digest, (String, u64)>);

impl Originals {
    /// Looks through everything in the bucket, once.
    pub(super) async fn find(store: &Store) -> Result<Self> {
        let (keys, mut found) = (&store.keys, HashMap::new());
        let visit = |object: crate::bucket::Listed<String>| {
            let Some(name) = keys.name(&object.what).filter(|_| object.size > 0) else { return };
            found.extend(keys::digest_of_content(name).map(|digest| (digest, (name.to_owned(), object.size))));
        };
        store.bucket.visit(keys.prefix(), visit).await?;
        Ok(Self(found))
    }

    /// Makes an empty object what it stands for, if that is anywhere.
    pub(super) fn resolve(&self, digest: &Digest, shown: &mut Shown) {
        if let Some((name, size)) = self.0.get(digest) {
            (shown.name, shown.size) = (name.clone(), *size);
        }
    }
}
