//! What a layout has to show of one changed manifest.

use zot_oci::{Digest, Manifest, MediaType, RepositoryName};

use super::Projector;
use crate::{
    Result,
    blobs::read_whole,
    layouts::Content,
    metadata::{
        Key,
        rows::{BlobRow, LinkRow, ManifestRow},
    },
};

/// A manifest and what it needs, as the rows have them; nothing if they have nothing of that digest. (A blob is shown with the manifests that need it.)
pub(super) async fn contents(projector: &Projector, name: &RepositoryName, digest: &Digest) -> Result<Option<Vec<Content>>> {
    let key = Key::Manifest(name.clone(), *digest);
    let Some(row) = projector.metadata.get(&key).await? else {
        let link = projector.metadata.get(&Key::Link(name.clone(), *digest)).await?;
        return Ok(link.map(|_| Vec::new()));
    };
    let row: ManifestRow = row.read(&key)?;
    let (bytes, content) = match row.address(name, digest) {
        None => (row.inline.clone(), Content::Inline { digest: *digest, bytes: row.inline.clone() }),
        Some(at) => {
            let bytes = read_whole(projector.blobs.as_ref(), &at, row.size).await?;
            (bytes.clone(), Content::Stored { digest: *digest, at, size: row.size, bytes: Some(bytes) })
        }
    };
    let mut contents = linked(projector, name, &row.info(*digest)?.media_type, &bytes).await?;
    contents.push(content);
    Ok(Some(contents))
}

/// The blobs that a manifest needs, as content of the layout.
async fn linked(projector: &Projector, name: &RepositoryName, media_type: &MediaType, bytes: &[u8]) -> Result<Vec<Content>> {
    // It was parsed when it was pushed; one of a type that is no longer known has no blobs to show.
    let blobs = Manifest::parse(media_type, bytes).map(|manifest| manifest.blobs).unwrap_or_default();
    let mut contents = Vec::with_capacity(blobs.len() + 1);
    for digest in blobs.into_iter().map(|blob| blob.digest) {
        let key = Key::Link(name.clone(), digest);
        let Some(row) = projector.metadata.get(&key).await? else { continue };
        let link: LinkRow = row.read(&key)?;
        match link.address(name, &digest) {
            Some(at) => contents.push(Content::Stored { digest, at, size: link.size, bytes: None }),
            None => contents.extend(inline(projector, digest).await?),
        }
    }
    Ok(contents)
}

async fn inline(projector: &Projector, digest: Digest) -> Result<Option<Content>> {
    let key = Key::Blob(digest);
    let Some(row) = projector.metadata.get(&key).await? else { return Ok(None) };
    Ok(Some(Content::Inline { digest, bytes: row.read::<BlobRow>(&key)?.inline }))
}
