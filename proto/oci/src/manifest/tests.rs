//! What is and what is not a manifest.

use super::*;
use crate::Digest;

fn descriptor(media_type: &str) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"{}","size":3}}"#, Digest::sha256(b"abc"))
}

fn image(fields: &str) -> String {
    format!(r#"{{"schemaVersion":2,"config":{}{fields}}}"#, descriptor("application/vnd.oci.image.config.v1+json"))
}

fn parse_image(text: &str) -> Result<Manifest, InvalidManifest> {
    Manifest::parse(&media_types::OCI_MANIFEST, text.as_bytes())
}

#[test]
fn an_image_needs_its_config_and_layers() {
    let layer = descriptor("application/vnd.oci.image.layer.v1.tar+gzip");
    let manifest = parse_image(&image(&format!(r#","layers":[{layer}]"#))).unwrap();
    assert_eq!(manifest.kind, ManifestKind::Image);
    assert_eq!(manifest.blobs.len(), 2);
    assert_eq!(manifest.artifact_type.as_deref(), Some("application/vnd.oci.image.config.v1+json"));
}

#[test]
fn layers_that_live_elsewhere_are_not_needed() {
    let layer = descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
    assert_eq!(parse_image(&image(&format!(r#","layers":[{layer}]"#))).unwrap().blobs.len(), 1);
}

#[test]
fn artifact_type_goes_before_the_config() {
    let manifest = parse_image(&image(r#","artifactType":"application/x","layers":[]"#)).unwrap();
    assert_eq!(manifest.artifact_type.as_deref(), Some("application/x"));
}

#[test]
fn a_document_of_both_kinds_is_refused() {
    assert!(matches!(parse_image(&image(r#","layers":[],"manifests":[]"#)), Err(InvalidManifest::Ambiguous { .. })));
    let index = r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#;
    assert!(matches!(Manifest::parse(&media_types::OCI_INDEX, index.as_bytes()), Err(InvalidManifest::Ambiguous { .. })));
}

#[test]
fn a_key_that_only_some_read_is_refused() {
    for key in ["Manifests", "LAYERS", "manife\u{17f}ts", "mediatype", "MediaType", "fsLayers", "FSLayers"] {
        let refused = parse_image(&image(&format!(r#","layers":[],"{key}":[]"#)));
        assert!(matches!(&refused, Err(InvalidManifest::Schema { reason }) if reason.contains(key)), "{key}: {refused:?}");
    }
    for key in ["manifest", "x-manifests", "history", "Size", "org.example.Layers"] {
        parse_image(&image(&format!(r#","layers":[],"{key}":[]"#))).unwrap();
    }
}

#[test]
fn the_two_media_types_must_agree() {
    let text = image(r#","mediaType":"application/vnd.oci.image.index.v1+json""#);
    assert!(matches!(parse_image(&text), Err(InvalidManifest::MediaTypeMismatch { .. })));
}

#[test]
fn only_oci_manifests_have_subjects() {
    let text = image(&format!(r#","subject":{}"#, descriptor("application/vnd.oci.image.manifest.v1+json")));
    assert!(parse_image(&text).unwrap().subject.is_some());
    assert!(Manifest::parse(&media_types::DOCKER_MANIFEST, text.as_bytes()).unwrap().subject.is_none());
}

#[test]
fn hostile_documents_are_refused_with_a_reason() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let bad_digest = r#"{"schemaVersion":2,"config":{"mediaType":"a/b","digest":"sha256:../x","size":1}}"#;
    let negative = r#"{"schemaVersion":2,"config":{"mediaType":"a/b","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":-1}}"#;
    for text in ["", "null", "{}", "[]", "\"x\"", r#"{"schemaVersion":1}"#, r#"{"schemaVersion":2}"#, &deep, bad_digest, negative] {
        assert!(parse_image(text).is_err(), "{}", text.chars().take(40).collect::<String>());
    }
}

#[test]
fn a_null_list_of_annotations_is_an_empty_one() {
    assert!(parse_image(&image(r#","annotations":null"#)).unwrap().annotations.is_empty());
}
