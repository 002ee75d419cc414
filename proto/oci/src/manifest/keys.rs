//! Keys that some clients read and others do not. Go's decoder takes `Manifests` for `manifests`: a document with both is an image to one program
//! and an index to another, and what is verified is not what is run.

use std::fmt;

use serde::{
    Deserializer as _,
    de::{IgnoredAny, MapAccess, Visitor},
};

use super::{InvalidManifest, schema};

/// Every key that a registry or a client acts on. The last one is of the manifests before schema 2.
const KEYS: [&str; 9] =
    ["schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests", "subject", "annotations", OF_SCHEMA_1];
const OF_SCHEMA_1: &str = "fsLayers";

/// Refuses a document with a key that is spelled like one of [`KEYS`] but for its case, or that belongs to schema 1.
pub(super) fn check_keys(bytes: &[u8]) -> Result<(), InvalidManifest> {
    let misread = serde_json::Deserializer::from_slice(bytes).deserialize_map(Misread);
    match misread.map_err(|error| schema(error.to_string()))? {
        None => Ok(()),
        Some((found, OF_SCHEMA_1)) => Err(schema(format!("`{found}` is of schema 1"))),
        Some((found, key)) => Err(schema(format!("it has `{found}`, which some clients read as `{key}`"))),
    }
}

/// Finds the first key that is read differently by different programs, and what some take it for.
struct Misread;

impl<'de> Visitor<'de> for Misread {
    type Value = Option<(String, &'static str)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut misread = None;
        while let Some(found) = map.next_key::<String>()? {
            let _: IgnoredAny = map.next_value()?;
            if misread.is_none() {
                let key = KEYS.into_iter().find(|key| folds_to(&found, key));
                misread = key.filter(|key| found != *key || *key == OF_SCHEMA_1).map(|key| (found, key));
            }
        }
        Ok(misread)
    }
}

/// Whether Go's decoder takes `found` for `key`: it compares under Unicode's simple case folding, in which two more characters are ASCII letters.
fn folds_to(found: &str, key: &str) -> bool {
    let folded = found.chars().map(|character| match character {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    });
    folded.eq(key.chars().map(|character| character.to_ascii_lowercase()))
}
