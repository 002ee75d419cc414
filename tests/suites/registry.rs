//! Everything that a registry shows, read through its API: what two registries must agree on to be the same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use zot_tests::Client;

/// All that is served of one repository.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Repository {
    /// Tags with the digests that they point to.
    pub(crate) tags: BTreeMap<String, String>,
    /// Manifests by digest: media type and bytes.
    pub(crate) manifests: BTreeMap<String, (String, Vec<u8>)>,
    /// Blobs by digest.
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
    /// The lists of referrers by subject, their entries in order.
    pub(crate) referrers: BTreeMap<String, Vec<String>>,
}

/// Reads every repository of the catalog, and in each all that its tags and `also` lead to.
pub(crate) async fn contents(client: &Client, also: &[(&str, &str)]) -> BTreeMap<String, Repository> {
    let mut contents = BTreeMap::new();
    for name in client.catalog().await {
        let also = also.iter().filter(|(repository, _)| *repository == name).map(|(_, digest)| (*digest).to_owned());
        let repository = read(client, &name, also.collect()).await;
        contents.insert(name, repository);
    }
    contents
}

async fn read(client: &Client, name: &str, mut wanted: Vec<String>) -> Repository {
    let mut repository = Repository::default();
    for tag in client.tags(name).await {
        let digest = client.get_manifest(name, &tag).await.expect(200).header("docker-content-digest").to_owned();
        wanted.push(digest.clone());
        repository.tags.insert(tag, digest);
    }
    let mut subjects = BTreeSet::new();
    while let Some(digest) = wanted.pop() {
        let reply = client.get_manifest(name, &digest).await;
        if reply.status == 404 || repository.manifests.contains_key(&digest) {
            continue;
        }
        let manifest: Value = reply.json();
        wanted.extend(digests(&manifest["manifests"]));
        subjects.extend(digests(&Value::from(vec![manifest["subject"].clone()])));
        for blob in digests(&manifest["layers"]).into_iter().chain(digests(&Value::from(vec![manifest["config"].clone()]))) {
            let bytes = client.get_blob(name, &blob).await.expect(200).body.to_vec();
            repository.blobs.insert(blob, bytes);
        }
        subjects.insert(digest.clone());
        repository.manifests.insert(digest, (reply.header("content-type").to_owned(), reply.body.to_vec()));
    }
    for subject in subjects {
        let list = client.get(&format!("/v2/{name}/referrers/{subject}")).await.expect(200).json();
        let mut entries: Vec<String> = list["manifests"].as_array().unwrap().iter().map(Value::to_string).collect();
        entries.sort();
        repository.referrers.insert(subject, entries);
    }
    repository
}

/// The digests of a list of descriptors.
fn digests(descriptors: &Value) -> Vec<String> {
    let list = descriptors.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|descriptor| Some(descriptor["digest"].as_str()?.to_owned())).collect()
}
