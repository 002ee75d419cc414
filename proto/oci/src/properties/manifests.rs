//! Manifests from hostile senders: arbitrary bytes, arbitrary JSON, and JSON that is nearly a manifest.

use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Map, Value, json};

use crate::{Descriptor, Digest, MANIFEST_DEPTH_MAX, Manifest, ManifestKind, MediaType, media_types};

const FIELDS: &[&str] = &[
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "subject",
    "annotations",
    "digest",
    "size",
    "fsLayers",
];
const TYPES: [MediaType; 4] =
    [media_types::OCI_MANIFEST, media_types::OCI_INDEX, media_types::DOCKER_MANIFEST, media_types::DOCKER_MANIFEST_LIST];

fn media_type() -> impl Strategy<Value = MediaType> {
    select(TYPES.to_vec())
}

fn descriptor() -> impl Strategy<Value = Value> {
    (any::<u64>(), any::<u8>()).prop_map(|(size, seed)| {
        let digest = Digest::sha256(&[seed]);
        json!({ "mediaType": "application/x", "digest": digest.to_string(), "size": size })
    })
}

/// Values that a manifest has in its fields, and others.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!(2)),
        media_type().prop_map(|media_type| media_type.as_str().into()),
        descriptor(),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| prop_oneof![vec(inner.clone(), 0..4).prop_map(Value::from), object(inner)])
}

fn object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let field = prop_oneof![select(FIELDS).prop_map(str::to_owned), any::<String>()];
    vec((field, value), 0..6).prop_map(|fields| fields.into_iter().collect::<Map<_, _>>().into())
}

/// A manifest of either kind, or of both, with any field missing.
fn nearly() -> impl Strategy<Value = Value> {
    let list = || option::of(vec(descriptor(), 0..3).prop_map(Value::from));
    let one = || option::of(descriptor());
    (one(), list(), list(), one(), option::of(value())).prop_map(|(config, layers, manifests, subject, annotations)| {
        let named = [
            ("schemaVersion", Some(json!(2))),
            ("config", config),
            ("layers", layers),
            ("manifests", manifests),
            ("subject", subject),
            ("annotations", annotations),
        ];
        let present = named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        present.collect::<Map<_, _>>().into()
    })
}

fn parses(media_type: &MediaType, document: &Value) -> bool {
    Manifest::parse(media_type, document.to_string().as_bytes()).is_ok()
}

/// An index with `levels` arrays or objects inside one another in a field that nobody knows.
fn nested(levels: usize, open: &str, close: &str) -> String {
    let (open, close) = (open.repeat(levels), close.repeat(levels));
    format!(r#"{{"schemaVersion":2,"manifests":[],"x":{open}0{close}}}"#)
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(media_type in media_type(), bytes in any::<Vec<u8>>()) {
        let _ = Manifest::parse(&media_type, &bytes);
    }

    #[test]
    fn no_json_makes_it_panic(media_type in media_type(), document in prop_oneof![value(), object(value()), nearly()]) {
        let _ = Manifest::parse(&media_type, document.to_string().as_bytes());
    }

    #[test]
    fn no_cut_of_a_manifest_is_one(document in nearly(), at in any::<prop::sample::Index>()) {
        let text = document.to_string();
        let cut = &text.as_bytes()[..at.index(text.len())];
        for media_type in &TYPES {
            prop_assert!(Manifest::parse(media_type, cut).is_err());
        }
    }

    #[test]
    fn no_document_is_an_image_and_an_index(document in prop_oneof![object(value()), nearly()]) {
        let kinds: Vec<_> = TYPES.iter().filter(|media_type| parses(media_type, &document)).map(ManifestKind::of).collect();
        prop_assert!(kinds.iter().all(|kind| *kind == kinds[0]), "{kinds:?}");
    }

    #[test]
    fn what_is_parsed_is_what_was_written(document in nearly(), media_type in media_type()) {
        if let Ok(manifest) = Manifest::parse(&media_type, document.to_string().as_bytes()) {
            let read = |field: &str| -> Vec<Descriptor> {
                document.get(field).map(|value| serde_json::from_value(value.clone()).unwrap()).unwrap_or_default()
            };
            let config = document.get("config").map(|value| serde_json::from_value::<Descriptor>(value.clone()).unwrap());
            let blobs: Vec<Descriptor> = config.into_iter().chain(read("layers")).collect();
            prop_assert_eq!(manifest.blobs, blobs);
            prop_assert_eq!(manifest.children, read("manifests"));
        }
    }

    #[test]
    fn no_other_spelling_of_a_field_is_accepted(field in select(&FIELDS[..8]), flips in any::<u64>(), value in value()) {
        let flipped = |(at, letter): (usize, char)| {
            let upper = flips >> at & 1 == 1;
            if upper { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
        };
        let spelled: String = field.chars().enumerate().map(flipped).collect();
        let mut document = json!({ "schemaVersion": 2, "manifests": [] });
        prop_assume!(spelled != *field);
        document[spelled.as_str()] = value;
        prop_assert!(!parses(&media_types::OCI_INDEX, &document), "{document}");
    }

    #[test]
    fn nesting_is_bounded(levels in 0..3 * MANIFEST_DEPTH_MAX, objects in any::<bool>()) {
        let (open, close) = if objects { (r#"{"x":"#, "}") } else { ("[", "]") };
        let parsed = Manifest::parse(&media_types::OCI_INDEX, nested(levels, open, close).as_bytes());
        prop_assert_eq!(parsed.is_ok(), levels < MANIFEST_DEPTH_MAX);
    }

    #[test]
    fn brackets_in_strings_do_not_nest(text in prop_oneof![any::<String>(), r#"[\[\{\\"a]{0,300}"#]) {
        let document = json!({ "schemaVersion": 2, "manifests": [], "annotations": { "text": text } });
        let manifest = Manifest::parse(&media_types::OCI_INDEX, document.to_string().as_bytes()).unwrap();
        prop_assert_eq!(manifest.annotations.get("text"), Some(&text));
    }
}
