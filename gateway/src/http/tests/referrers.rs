//! Referrers.

use zot_oci::Digest;

use crate::sandbox::{Sandbox, image};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

async fn listed(sandbox: &Sandbox, subject: &Digest, query: &str) -> (String, Vec<String>) {
    let reply = sandbox.get(&format!("/v2/a/referrers/{subject}{query}")).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, INDEX), "{reply:?}");
    let json = reply.json();
    assert_eq!((&json["schemaVersion"], &json["mediaType"]), (&2.into(), &INDEX.into()));
    let digests = json["manifests"].as_array().unwrap().iter();
    let types = digests.map(|manifest| manifest["artifactType"].as_str().unwrap().to_owned());
    let mut types: Vec<String> = types.collect();
    types.sort();
    (reply.header("oci-filters-applied").to_owned(), types)
}

#[tokio::test]
async fn referrers_are_listed_by_type() {
    let sandbox = Sandbox::start().await;
    let manifest = sandbox.push_image("a", "v1").await;
    let (subject, config) = (Digest::sha256(manifest.as_bytes()), Digest::sha256(b"{}"));
    for artifact_type in ["application/sbom+json", "application/signature"] {
        let fields = format!(
            r#","artifactType":"{artifact_type}","annotations":{{"k":"v"}},"subject":{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{subject}","size":{}}}"#,
            manifest.len()
        );
        let reply =
            sandbox.push_manifest("a", artifact_type.rsplit_once('/').unwrap().1.trim_end_matches("+json"), &image(&config, &fields)).await;
        assert_eq!(reply.status, 201);
        assert_eq!(reply.header("oci-subject"), subject.to_string());
    }
    let both = ["application/sbom+json", "application/signature"];
    assert_eq!(listed(&sandbox, &subject, "").await, (String::new(), both.map(str::to_owned).to_vec()));
    let filtered = "artifactType".to_owned();
    for query in ["?artifactType=application/sbom+json", "?artifactType=application%2Fsbom%2Bjson"] {
        assert_eq!(listed(&sandbox, &subject, query).await, (filtered.clone(), vec![both[0].to_owned()]));
    }
    let query = "?artifactType=application/signature&artifactType=application/sbom%2Bjson";
    assert_eq!(listed(&sandbox, &subject, query).await.1.len(), 2);
    assert_eq!(listed(&sandbox, &subject, "?artifactType=x/y").await, (filtered, vec![]));
}

#[tokio::test]
async fn nothing_refers_to_the_unknown() {
    let sandbox = Sandbox::start().await;
    let nothing = (String::new(), vec![]);
    assert_eq!(listed(&sandbox, &Digest::sha256(b"x"), "").await, nothing);
    sandbox.push_image("a", "v1").await;
    assert_eq!(listed(&sandbox, &Digest::sha256(b"x"), "").await, nothing);
}
