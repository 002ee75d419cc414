//! The `index.json` of a repository: its manifests, once for each tag.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};
use zot_oci::{Annotations, Descriptor, Digest, RepositoryName};

use crate::{
    Error, Result,
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
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Index {
    schema_version: u32,
    manifests: Vec<Descriptor>,
}

/// An image index as it is found.
#[derive(Debug, Deserialize)]
pub(crate) struct FoundIndex {
    /// zot writes `null` for a repository without manifests.
    #[serde(deserialize_with = "null_is_empty")]
    manifests: Vec<Entry>,
}

/// One that is no descriptor of ours, because of an algorithm we do not have or for whatever reason, costs no other.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Entry {
    Usable(Descriptor),
    Unusable(IgnoredAny),
}

fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<Entry>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl FoundIndex {
    /// The usable descriptors, and how many entries are not.
    pub(crate) fn descriptors(self) -> (Vec<Descriptor>, usize) {
        let entries = self.manifests.len();
        let usable = self.manifests.into_iter().filter_map(|entry| match entry {
            Entry::Usable(descriptor) => Some(descriptor),
            Entry::Unusable(_) => None,
        });
        let usable: Vec<_> = usable.collect();
        let unusable = entries - usable.len();
        (usable, unusable)
    }
}

impl FoundIndex {
    /// Reads the `index.json` of a repository.
    pub(crate) fn decode(bytes: &[u8], name: &RepositoryName) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(|error| Error::damaged(format!("index of {name}"), error))
    }
}

impl Index {
    pub(super) fn encode(&self) -> Result<Bytes> {
        serde_json::to_vec(self).map(Bytes::from).map_err(Error::metadata("encode"))
    }

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
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use zot_oci::Algorithm;

    use super::*;

    fn read(text: &str) -> (Vec<Descriptor>, usize) {
        serde_json::from_str::<FoundIndex>(text).unwrap().descriptors()
    }

    #[test]
    fn an_index_written_by_zot_is_read() {
        assert_eq!(read(r#"{"schemaVersion":2,"manifests":null}"#), (vec![], 0));
    }

    #[test]
    fn an_unusable_entry_costs_no_other() {
        let usable = format!(r#"{{"mediaType":"x","digest":"{}","size":1}}"#, Digest::sha256(b"x"));
        let (found, unusable) = read(&format!(r#"{{"manifests":[{{"mediaType":"x","digest":"md5:0","size":1}},{usable},7]}}"#));
        assert_eq!((found.len(), unusable), (1, 2));
    }

    #[test]
    fn what_is_no_index_is_none() {
        for text in ["{}", "[]", "null", r#"{"manifests":7}"#, r#"{"manifests":[{]}"#] {
            assert!(serde_json::from_str::<FoundIndex>(text).is_err(), "{text}");
        }
    }

    fn decode(bytes: &[u8]) -> Result<(Vec<Descriptor>, usize)> {
        FoundIndex::decode(bytes, &"a".parse().unwrap()).map(FoundIndex::descriptors)
    }

    fn any_descriptor() -> impl Strategy<Value = Descriptor> {
        let digest = (0..Algorithm::ALL.len(), any::<u8>()).prop_map(|(algorithm, byte)| Digest::of(Algorithm::ALL[algorithm], &[byte]));
        let annotations = prop::collection::btree_map(any::<String>(), any::<String>(), 0..3);
        (any::<String>(), digest, any::<u64>(), any::<Option<String>>(), annotations).prop_map(
            |(media_type, digest, size, artifact_type, annotations)| Descriptor { media_type, digest, size, artifact_type, annotations },
        )
    }

    /// A field of a descriptor, and what may stand there instead.
    fn any_damage() -> impl Strategy<Value = (&'static str, Value)> {
        let values = vec![json!(null), json!(-1), json!(1.5), json!("sha256:0"), json!([7]), json!({"a": null}), json!(true)];
        (prop::sample::select(vec!["mediaType", "digest", "size", "artifactType", "annotations"]), prop::sample::select(values))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(manifests in prop::collection::vec(any_descriptor(), 0..4)) {
            let written = Index { schema_version: 2, manifests: manifests.clone() }.encode().unwrap();
            prop_assert_eq!(decode(&written).unwrap(), (manifests, 0));
        }

        #[test]
        fn a_damaged_entry_costs_no_other(entries in prop::collection::vec((any_descriptor(), prop::option::of(any_damage())), 0..6)) {
            let written = entries.iter().map(|(descriptor, damage)| {
                let mut entry = json!(descriptor);
                damage.iter().for_each(|(field, value)| entry[*field] = value.clone());
                entry
            });
            let index = json!({"manifests": written.collect::<Vec<_>>()});
            let (found, unusable) = decode(index.to_string().as_bytes()).unwrap();
            prop_assert_eq!(found.len() + unusable, entries.len());
            let intact = entries.iter().filter(|(_, damage)| damage.is_none());
            prop_assert!(intact.into_iter().all(|(descriptor, _)| found.contains(descriptor)));
        }

        #[test]
        fn any_bytes_are_an_index_or_an_error(
            manifest in any_descriptor(), place in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 0..4), cut in any::<bool>(),
        ) {
            let mut index = Index { schema_version: 2, manifests: vec![manifest] }.encode().unwrap().to_vec();
            let place = place.index(index.len());
            let end = if cut { index.len() } else { index.len().min(place + bytes.len()) };
            index.splice(place..end, bytes.iter().copied());
            let _ = (decode(&index), decode(&bytes));
        }
    }
}
