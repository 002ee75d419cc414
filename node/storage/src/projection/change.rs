//! What a layout has to get or to lose for one changed manifest.

use zot_oci::{Digest, Manifest, MediaType, RepositoryName};

use super::{Content, Projector};
use crate::{
    Result,
    blobs::read_whole,
    metadata::{
        Key,
        rows::{BlobRow, LinkRow, ManifestRow},
    },
};

/// A change to the files of a layout.
pub(crate) enum Change {
    Add(Vec<Content>),
    Remove(Digest),
}

/// The change that brings `digest` in the layout of `name` up to date with the rows.
pub(super) async fn change(projector: &Projector, name: &RepositoryName, digest: &Digest) -> Result<Change> {
    let key = Key::Manifest(name.clone(), *digest);
    let Some(row) = projector.metadata.get(&key).await? else {
        let link = projector.metadata.get(&Key::Link(name.clone(), *digest)).await?;
        return Ok(if link.is_some() { Change::Add(Vec::new()) } else { Change::Remove(*digest) });
    };
    let row: ManifestRow = row.read(&key)?;
    let (bytes, content) = match row.address(name, digest) {
        None => (row.inline.clone(), Content::Written(*digest, row.inline.clone())),
        Some(at) => (read_whole(projector.blobs.as_ref(), &at, row.size).await?, Content::Linked(*digest, at)),
    };
    let mut contents = linked(projector, name, &row.info(*digest)?.media_type, &bytes).await?;
    contents.push(content);
    Ok(Change::Add(contents))
}

/// The blobs that a manifest needs, as files of the layout.
async fn linked(projector: &Projector, name: &RepositoryName, media_type: &MediaType, bytes: &[u8]) -> Result<Vec<Content>> {
    // It was parsed when it was pushed; one of a type that is no longer known has no blobs to show.
    let blobs = Manifest::parse(media_type, bytes).map(|manifest| manifest.blobs).unwrap_or_default();
    let mut contents = Vec::with_capacity(blobs.len() + 1);
    for digest in blobs.into_iter().map(|blob| blob.digest) {
        let key = Key::Link(name.clone(), digest);
        let Some(row) = projector.metadata.get(&key).await? else { continue };
        match row.read::<LinkRow>(&key)?.address(name, &digest) {
            Some(at) => contents.push(Content::Linked(digest, at)),
            None => contents.extend(inline(projector, digest).await?),
        }
    }
    Ok(contents)
}

async fn inline(projector: &Projector, digest: Digest) -> Result<Option<Content>> {
    let key = Key::Blob(digest);
    let Some(row) = projector.metadata.get(&key).await? else { return Ok(None) };
    Ok(Some(Content::Written(digest, row.read::<BlobRow>(&key)?.inline)))
}
