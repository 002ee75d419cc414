//! What refers to a manifest (distribution-spec, "Listing Referrers").

use serde_json::{Value, json};
use zot_tests::{Client, Image, Manifest, content, content::media_type, digest_of, in_both_shapes};

const SBOM: &str = "application/vnd.example.sbom";
const SIGNATURE: &str = "application/vnd.example.signature";

async fn referrers(client: &Client, subject: &str, query: &str) -> Vec<Value> {
    let reply = client.get(&format!("/v2/a/referrers/{subject}{query}")).await.expect(200);
    assert_eq!(reply.header("content-type"), media_type::INDEX);
    let filtered = if query.is_empty() { "" } else { "artifactType" };
    assert_eq!(reply.header("oci-filters-applied"), filtered);
    let index = reply.json();
    assert_eq!((&index["schemaVersion"], &index["mediaType"]), (&json!(2), &json!(media_type::INDEX)));
    index["manifests"].as_array().unwrap().clone()
}

fn digests(descriptors: &[Value]) -> Vec<&str> {
    let mut digests: Vec<_> = descriptors.iter().map(|found| found["digest"].as_str().unwrap()).collect();
    digests.sort_unstable();
    digests
}

fn sorted<'d>(digests: &[&'d str]) -> Vec<&'d str> {
    let mut digests = digests.to_vec();
    digests.sort_unstable();
    digests
}

in_both_shapes!(artifacts_are_found_by_their_subject_and_type, |registry| async move {
    let client = registry.client();
    let image = Image::small(1);
    let subject = client.push_image("a", "latest", &image).await;
    let on = image.manifest.descriptor();
    let sbom = client.push_image("a", "sbom", &Image::artifact(SBOM, 1, Some(&on))).await;
    let signature = Image::artifact(SIGNATURE, 2, Some(&on));
    let signed = client.push_image("a", &signature.digest(), &signature).await;
    assert_eq!(digests(&referrers(&client, &subject, "").await), sorted(&[&sbom, &signed]));
    let found = referrers(&client, &subject, &format!("?artifactType={SBOM}")).await;
    assert_eq!(digests(&found), [sbom.as_str()]);
    assert_eq!(found[0]["artifactType"], SBOM);
    assert_eq!(found[0]["annotations"]["org.example.seed"], "1");
    assert_eq!(found[0]["mediaType"], media_type::MANIFEST);
    let both = format!("?artifactType={SBOM}&artifactType={SIGNATURE}");
    assert_eq!(digests(&referrers(&client, &subject, &both).await), sorted(&[&sbom, &signed]));
    assert!(referrers(&client, &subject, "?artifactType=other").await.is_empty());
});

in_both_shapes!(the_subject_is_confirmed_and_may_come_later_or_never, |registry| async move {
    let client = registry.client();
    let image = Image::small(1);
    let artifact = Image::artifact(SBOM, 1, Some(&image.manifest.descriptor()));
    client.push_blob("a", &artifact.config).await;
    let reply = client.put_manifest("a", &artifact.digest(), &artifact.manifest).await.expect(201);
    assert_eq!(reply.header("oci-subject"), image.digest());
    assert_eq!(digests(&referrers(&client, &image.digest(), "").await), [artifact.digest().as_str()]);
    client.push_image("a", "latest", &image).await;
    assert_eq!(referrers(&client, &image.digest(), "").await.len(), 1);
});

in_both_shapes!(an_image_that_refers_has_the_type_of_its_configuration, |registry| async move {
    let client = registry.client();
    let (base, mut image) = (Image::small(1), Image::small(2));
    let mut json: Value = serde_json::from_slice(&image.manifest.bytes).unwrap();
    json["subject"] = base.manifest.descriptor();
    image.manifest = Manifest::new(&json);
    client.push_image("a", "refers", &image).await;
    assert_eq!(referrers(&client, &base.digest(), "").await[0]["artifactType"], media_type::CONFIG);
});

in_both_shapes!(an_index_can_refer_and_be_referred_to, |registry| async move {
    let client = registry.client();
    let index = Manifest::index(&[]);
    client.put_manifest("a", "index", &index).await.expect(201);
    let refers = Manifest::new(&json!({"schemaVersion": 2, "mediaType": media_type::INDEX, "artifactType": SBOM,
        "manifests": [], "subject": index.descriptor(), "annotations": {"k": "v"}}));
    client.put_manifest("a", &refers.digest(), &refers).await.expect(201);
    let found = referrers(&client, &index.digest(), "").await;
    assert_eq!(digests(&found), [refers.digest().as_str()]);
    assert_eq!((&found[0]["artifactType"], &found[0]["annotations"]["k"]), (&json!(SBOM), &json!("v")));
});

in_both_shapes!(deleting_what_refers_takes_it_from_the_list, |registry| async move {
    let client = registry.client();
    let image = Image::small(1);
    let subject = client.push_image("a", "latest", &image).await;
    let artifact = client.push_image("a", "sbom", &Image::artifact(SBOM, 1, Some(&image.manifest.descriptor()))).await;
    client.delete("/v2/a/manifests/sbom").await.expect(202);
    assert_eq!(referrers(&client, &subject, "").await.len(), 1);
    client.delete(&format!("/v2/a/manifests/{artifact}")).await.expect(202);
    assert!(referrers(&client, &subject, "").await.is_empty());
});

in_both_shapes!(deleting_the_subject_keeps_what_refers_to_it, |registry| async move {
    let client = registry.client();
    let image = Image::small(1);
    let subject = client.push_image("a", "latest", &image).await;
    client.push_image("a", "sbom", &Image::artifact(SBOM, 1, Some(&image.manifest.descriptor()))).await;
    client.delete(&format!("/v2/a/manifests/{subject}")).await.expect(202);
    assert_eq!(referrers(&client, &subject, "").await.len(), 1);
    client.get_manifest("a", "sbom").await.expect(200);
});

in_both_shapes!(a_subject_without_referrers_or_repository_has_an_empty_list, |registry| async move {
    let client = registry.client();
    assert!(referrers(&client, &digest_of(b"nothing"), "").await.is_empty());
    client.push_blob("a", b"so that a exists").await;
    assert!(referrers(&client, &digest_of(b"nothing"), "").await.is_empty());
    client.get("/v2/a/referrers/sha256:bad").await.expect_error(400, "DIGEST_INVALID");
});

in_both_shapes!(a_long_list_comes_in_pages_that_clients_read, |registry| async move {
    let client = registry.client();
    let image = Image::small(1);
    let subject = client.push_image("a", "latest", &image).await;
    let mut pushed = Vec::new();
    for number in 0..6 {
        let mut artifact = Image::artifact(SBOM, number, Some(&image.manifest.descriptor()));
        let mut json: Value = serde_json::from_slice(&artifact.manifest.bytes).unwrap();
        json["annotations"]["long"] = "x".repeat(1_000_000).into();
        artifact.manifest = Manifest::new(&json);
        pushed.push(client.push_image("a", &artifact.digest(), &artifact).await);
    }
    pushed.sort_unstable();
    for query in ["", "?artifactType=application%2Fvnd.example.sbom"] {
        let (mut path, mut listed, mut pages) = (format!("/v2/a/referrers/{subject}{query}"), Vec::new(), 0);
        while !path.is_empty() {
            let reply = client.get(&path).await.expect(200);
            assert!(reply.body.len() <= 4 << 20, "a page of {} bytes", reply.body.len());
            assert_eq!(reply.header("oci-filters-applied").is_empty(), query.is_empty());
            listed.extend(reply.json()["manifests"].as_array().unwrap().iter().map(|found| found["digest"].as_str().unwrap().to_owned()));
            path = reply.header("link").trim_start_matches('<').trim_end_matches(">; rel=\"next\"").to_owned();
            pages += 1;
        }
        assert_eq!((listed, pages), (pushed.clone(), 2));
    }
});

in_both_shapes!(a_subject_may_be_named_by_sha512, |registry| async move {
    let client = registry.client();
    let image = Image::small(1);
    client.push_image("a", "latest", &image).await;
    let strong = content::sha512_of(&image.manifest.bytes);
    client.put_manifest("a", &strong, &image.manifest).await.expect(201);
    let on = json!({"mediaType": media_type::MANIFEST, "digest": strong, "size": image.manifest.bytes.len()});
    let artifact = client.push_image("a", "sbom", &Image::artifact(SBOM, 1, Some(&on))).await;
    assert_eq!(digests(&referrers(&client, &strong, "").await), [artifact.as_str()]);
    assert!(referrers(&client, &image.digest(), "").await.is_empty());
});
