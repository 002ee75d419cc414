//! A manifest's entry in the list of referrers of its subject: kept in a row, or made from the manifest where a row has no room for it.

use serde::{Deserialize, Serialize};
use zot_oci::{Annotations, Descriptor, Digest, Manifest, RepositoryName};

use crate::{
    Error, Result,
    engine::Engine,
    metadata::{Key, Row},
};

/// The most bytes of an entry that is kept in its row. DynamoDB takes rows of 400 KB, and a page of a list is read at once; annotations may have
/// as much as a whole manifest.
const ROW_BYTES_MAX: usize = 64 << 10;

/// The row of an entry.
#[derive(Debug, Serialize, Deserialize)]
struct ReferrerRow {
    #[serde(flatten)]
    entry: Descriptor,
    /// Whether the row had no room for all of it: the manifest has the rest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    abridged: bool,
}

/// The descriptor under which a manifest is listed as a referrer (distribution-spec, "Listing Referrers").
pub(super) fn entry(manifest: &Manifest, digest: Digest, media_type: &str, size: u64) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        digest,
        size,
        artifact_type: manifest.artifact_type.clone(),
        annotations: manifest.annotations.clone(),
    }
}

/// The row of an entry.
pub(super) fn row(entry: &Descriptor) -> Result<Vec<u8>> {
    let encoded = serde_json::to_vec(entry).map_err(Error::metadata("encode"))?;
    if encoded.len() <= ROW_BYTES_MAX {
        return Ok(encoded);
    }
    let entry = Descriptor { artifact_type: None, annotations: Annotations::default(), ..entry.clone() };
    serde_json::to_vec(&ReferrerRow { entry, abridged: true }).map_err(Error::metadata("encode"))
}

impl Engine {
    /// The entry of a manifest whose row was read; nothing if it was deleted meanwhile.
    pub(in crate::engine) async fn referrer(&self, repository: &RepositoryName, key: &Key, row: &Row) -> Result<Option<Descriptor>> {
        let damaged = |error| Error::damaged(format!("row of {key:?}"), error);
        let ReferrerRow { entry: kept, abridged } = serde_json::from_slice(&row.value).map_err(damaged)?;
        if !abridged {
            return Ok(Some(kept));
        }
        let Some((row, _)) = self.manifest_row(repository, &kept.digest).await? else { return Ok(None) };
        let manifest = self.parsed_manifest(repository, &kept.digest, &row).await?;
        Ok(Some(entry(&manifest, kept.digest, &row.media_type, row.size)))
    }
}
