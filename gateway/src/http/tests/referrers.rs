//! Referrers.

use zot_oci::Digest;

use crate::{
    http::Options,
    sandbox::{Sandbox, Setup, image},
};

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

/// Pushes an artifact of this type with this number, which refers to the image `manifest`.
async fn refer(sandbox: &Sandbox, manifest: &str, artifact_type: &str, number: usize) {
    let (subject, config) = (Digest::sha256(manifest.as_bytes()), Digest::sha256(b"{}"));
    let size = manifest.len();
    let fields = format!(
        r#","artifactType":"{artifact_type}","annotations":{{"n":"{number}"}},"subject":{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{subject}","size":{size}}}"#
    );
    assert_eq!(sandbox.push_manifest("a", &format!("n{number}"), &image(&config, &fields)).await.status, 201);
}

/// The digests on each page, from the one at `path` on.
async fn pages(sandbox: &Sandbox, mut path: String) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    loop {
        let reply = sandbox.get(&path).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let json = reply.json();
        let digests = json["manifests"].as_array().unwrap().iter().map(|entry| entry["digest"].as_str().unwrap().to_owned());
        pages.push(digests.collect());
        assert_eq!(reply.header("oci-filters-applied").is_empty(), !path.contains("artifactType"));
        let link = reply.header("link");
        if link.is_empty() {
            return pages;
        }
        path = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap().to_owned();
    }
}

#[tokio::test]
async fn pages_link_to_the_next_until_the_last() {
    let sandbox = Sandbox::start().await;
    let manifest = sandbox.push_image("a", "v1").await;
    for number in 0..7 {
        refer(&sandbox, &manifest, if number % 2 == 0 { "a/even+x" } else { "a/odd" }, number).await;
    }
    let path = format!("/v2/a/referrers/{}", Digest::sha256(manifest.as_bytes()));
    let whole = pages(&sandbox, path.clone()).await;
    assert_eq!((whole.len(), whole[0].len()), (1, 7));
    let all = pages(&sandbox, format!("{path}?n=3")).await;
    assert_eq!((all.iter().map(Vec::len).collect::<Vec<_>>(), all.concat()), (vec![3, 3, 1], whole[0].clone()));
    for (query, sizes) in [("artifactType=a/even%2Bx", vec![3, 1]), ("artifactType=a/odd", vec![3]), ("artifactType=a/none", vec![0])] {
        let found = pages(&sandbox, format!("{path}?n=3&{query}")).await;
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), sizes, "{query}");
    }
    let both = pages(&sandbox, format!("{path}?n=4&artifactType=a/odd&artifactType=a/even%2Bx")).await;
    assert_eq!((both.len(), both.concat()), (2, whole[0].clone()));
    assert_eq!(pages(&sandbox, format!("{path}?n=0")).await, [Vec::<String>::new()]);
}

#[tokio::test]
async fn what_a_filter_finds_little_in_is_looked_through_by_several_requests() {
    let setup = Setup { options: Options { page_entries_max: 1, ..Options::default() }, ..Setup::default() };
    let sandbox = Sandbox::with(setup).await;
    let manifest = sandbox.push_image("a", "v1").await;
    for number in 0..40 {
        refer(&sandbox, &manifest, "a/b", number).await;
    }
    let path = format!("/v2/a/referrers/{}?artifactType=a/none", Digest::sha256(manifest.as_bytes()));
    assert_eq!(pages(&sandbox, path).await, vec![Vec::<String>::new(); 3]);
}

#[tokio::test]
async fn a_page_starts_after_a_digest() {
    let sandbox = Sandbox::start().await;
    let path = format!("/v2/a/referrers/{}", Digest::sha256(b"x"));
    assert_eq!(sandbox.get(&format!("{path}?last={}", Digest::sha256(b"y"))).await.status, 200);
    assert_eq!(sandbox.get(&format!("{path}?last=y")).await.refusal(), (400, "DIGEST_INVALID".to_owned()));
    assert_eq!(sandbox.get(&format!("{path}?n=y")).await.refusal(), (400, "UNSUPPORTED".to_owned()));
}

#[tokio::test]
async fn nothing_refers_to_the_unknown() {
    let sandbox = Sandbox::start().await;
    let nothing = (String::new(), vec![]);
    assert_eq!(listed(&sandbox, &Digest::sha256(b"x"), "").await, nothing);
    sandbox.push_image("a", "v1").await;
    assert_eq!(listed(&sandbox, &Digest::sha256(b"x"), "").await, nothing);
}
