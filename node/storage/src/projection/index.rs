//! The `index.json` of a repository: its manifests, once for each tag.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use zot_oci::{Annotations, Descriptor, Digest, RepositoryName};

use crate::{
    Result,
    metadata::{
        Key, Metadata, Scan,
        rows::{ManifestRow, TagRow},
    },
};

/// The annotation that holds a tag in an image layout (image-spec, "Pre-Defined Annotation Keys").
pub(crate) const REFERENCE_NAME: &str = "org.opencontainers.image.ref.name";

/// Rows read at a time.
const ROWS_AT_A_TIME: usize = 1000;

/// An image index, as far as a layout needs it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Index {
    schema_version: u32,
    /// zot writes `null` for a repository without manifests.
    #[serde(deserialize_with = "null_is_empty")]
    pub(crate) manifests: Vec<Descriptor>,
}

fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<Descriptor>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Index {
    /// What the rows say that the repository has.
    pub(crate) async fn read(metadata: &dyn Metadata, name: &RepositoryName) -> Result<Self> {
        let mut tags = tags(metadata, name).await?;
        let mut manifests = Vec::new();
        let mut after = None;
        loop {
            let rows = metadata.scan(&Scan::Manifests(name.clone(), after), ROWS_AT_A_TIME).await?;
            let full = rows.len() == ROWS_AT_A_TIME;
            for (key, row) in rows {
                let Key::Manifest(_, digest) = key else { continue };
                after = Some(digest);
                let row: ManifestRow = row.read(&key)?;
                manifests.extend(descriptors(digest, row, tags.remove(&digest).unwrap_or_default()));
            }
            if !full {
                return Ok(Self { schema_version: 2, manifests });
            }
        }
    }
}

/// One descriptor for each tag, or one without.
fn descriptors(digest: Digest, row: ManifestRow, tags: Vec<String>) -> Vec<Descriptor> {
    let untagged = Descriptor { media_type: row.media_type, digest, size: row.size, artifact_type: None, annotations: Annotations::new() };
    if tags.is_empty() {
        return vec![untagged];
    }
    let tagged = tags.into_iter().map(|tag| Descriptor { annotations: [(REFERENCE_NAME.to_owned(), tag)].into(), ..untagged.clone() });
    tagged.collect()
}

async fn tags(metadata: &dyn Metadata, name: &RepositoryName) -> Result<BTreeMap<Digest, Vec<String>>> {
    let mut tags: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
    let mut after = None;
    loop {
        let rows = metadata.scan(&Scan::Tags(name.clone(), after.take()), ROWS_AT_A_TIME).await?;
        let full = rows.len() == ROWS_AT_A_TIME;
        for (key, row) in rows {
            let Key::Tag(_, tag) = &key else { continue };
            let digest = Digest::try_from(&row.read::<TagRow>(&key)?.digest)?;
            tags.entry(digest).or_default().push(tag.to_string());
            after = Some(tag.to_string());
        }
        if !full {
            return Ok(tags);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_written_by_zot_is_read() {
        let index: Index = serde_json::from_str(r#"{"schemaVersion":2,"manifests":null}"#).unwrap();
        assert_eq!(index.manifests, []);
    }
}
