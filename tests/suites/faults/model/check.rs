//! Holds a registry to the model: every fact is asked for, every byte is hashed, and what is certain afterwards is learned.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use serde_json::Value as Json;
use zot_tests::{Client, Image, Reply, digest_of};

use super::{Fact, Model, Value};

/// Requests under way at a time.
const REQUESTS: usize = 8;

/// What a check looked at.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Checked {
    pub(crate) facts: usize,
    pub(crate) blobs: usize,
    pub(crate) bytes: usize,
}

impl Checked {
    pub(crate) fn add(&mut self, other: Self) {
        self.facts += other.facts;
        self.blobs += other.blobs;
        self.bytes += other.bytes;
    }
}

/// What the registry shows of a fact.
struct Seen {
    fact: Fact,
    value: Value,
    body: bytes::Bytes,
}

/// Fails the test unless the registry shows what it may, and all of it is whole.
pub(crate) async fn check(model: &Model, client: &Client) -> Checked {
    // Right after a fault a registry may say that it cannot yet; that is no lost fact.
    let client = &client.patient();
    let mut wrong = Vec::new();
    let mut checked = Checked::default();
    let (mut needed, mut subjects) = (BTreeSet::new(), BTreeSet::new());
    let seen: Vec<_> = stream::iter(model.facts()).map(|fact| see(client, fact)).buffer_unordered(REQUESTS).collect().await;
    for seen in seen {
        match seen {
            Ok(seen) => {
                checked.facts += 1;
                checked.bytes += seen.body.len();
                wrong.extend(model.see(&seen.fact, &seen.value).err());
                needed.extend(needs(&seen));
                subjects.extend(subject(&seen));
            }
            Err(reason) => wrong.push(reason),
        }
    }
    checked.blobs = needed.len();
    let whole: Vec<_> = stream::iter(needed).map(|blob| whole(client, blob)).buffer_unordered(REQUESTS).collect().await;
    for size in whole {
        match size {
            Ok(size) => checked.bytes += size,
            Err(reason) => wrong.push(reason),
        }
    }
    wrong.extend(missing_referrers(client, &subjects).await);
    wrong.extend(lists(model, client).await);
    assert!(wrong.is_empty(), "{} promises broken:\n{}", wrong.len(), wrong.join("\n"));
    checked
}

/// Fails the test if anything is served under a digest that it does not hash to; what is lost may be lost. Looks at `at_most` facts, spread
/// over all, and returns how many were not there.
pub(crate) async fn nothing_wrong_is_served(model: &Model, client: &Client, at_most: usize) -> usize {
    let facts = model.facts();
    let step = facts.len().div_ceil(at_most).max(1);
    let looks = stream::iter(facts.into_iter().step_by(step)).map(|fact| is_lost(model, client, fact)).buffer_unordered(REQUESTS);
    looks.filter(|lost| std::future::ready(*lost)).count().await
}

async fn is_lost(model: &Model, client: &Client, fact: Fact) -> bool {
    // A broken-off reply is an honest one: the client knows that it has not got everything.
    let Ok(reply) = client.get(&path(&fact)).try_send().await else { return true };
    if reply.status != 200 {
        return model.has(&fact);
    }
    assert_eq!(digest_of(&reply.body), expected_digest(&fact, &reply), "{fact} is served with other bytes");
    false
}

/// Fails the test if a repository accepts no push, by POST, PUT and a tag that moves each time.
pub(crate) async fn push_to_every_repository(model: &Model, client: &Client, seed: u64) {
    for repository in model.repositories() {
        let image = Image::small(seed);
        let digest = image.digest();
        let pushed = [Fact::manifest(&repository, &digest), Fact::tag(&repository, "probe")];
        let pending = model.begin(pushed.into_iter().map(|fact| (fact, Some(digest.clone()))));
        client.patient().push_image(&repository, "probe", &image).await;
        pending.acknowledged();
    }
}

fn path(fact: &Fact) -> String {
    match fact {
        Fact::Blob { repository, digest } => format!("/v2/{repository}/blobs/{digest}"),
        Fact::Manifest { repository, digest } => format!("/v2/{repository}/manifests/{digest}"),
        Fact::Tag { repository, tag } => format!("/v2/{repository}/manifests/{tag}"),
    }
}

fn expected_digest(fact: &Fact, reply: &Reply) -> String {
    match fact {
        Fact::Blob { digest, .. } | Fact::Manifest { digest, .. } => digest.clone(),
        Fact::Tag { .. } => reply.header("docker-content-digest").to_owned(),
    }
}

async fn see(client: &Client, fact: Fact) -> Result<Seen, String> {
    let reply = client.get(&path(&fact)).try_send().await.map_err(|broken| format!("{fact}: {broken}"))?;
    match reply.status.as_u16() {
        404 => Ok(Seen { fact, value: None, body: bytes::Bytes::new() }),
        200 => {
            let (found, expected) = (digest_of(&reply.body), expected_digest(&fact, &reply));
            if found != expected {
                let length = reply.body.len();
                return Err(format!("{fact} is served with {length} bytes that hash to {found}, not {expected}"));
            }
            Ok(Seen { fact, value: Some(found), body: reply.body })
        }
        status => Err(format!("{fact}: {status} {}", reply.text())),
    }
}

/// The blobs that a manifest needs, with the sizes that it gives.
fn needs(seen: &Seen) -> Vec<(String, String, u64)> {
    let Fact::Manifest { repository, .. } = &seen.fact else { return Vec::new() };
    let manifest: Json = serde_json::from_slice(&seen.body).unwrap_or_default();
    let layers = manifest["layers"].as_array().into_iter().flatten();
    let blobs = layers.chain(manifest.get("config")).map(|blob| {
        let digest = blob["digest"].as_str().unwrap_or_default().to_owned();
        (repository.clone(), digest, blob["size"].as_u64().unwrap_or_default())
    });
    blobs.collect()
}

/// The repository, subject and digest of a manifest that refers to another.
fn subject(seen: &Seen) -> Option<(String, String, String)> {
    let Fact::Manifest { repository, digest } = &seen.fact else { return None };
    let manifest: Json = serde_json::from_slice(&seen.body).ok()?;
    Some((repository.clone(), manifest["subject"]["digest"].as_str()?.to_owned(), digest.clone()))
}

/// Manifests that are there but not among the referrers of their subjects.
async fn missing_referrers(client: &Client, subjects: &BTreeSet<(String, String, String)>) -> Vec<String> {
    let mut missing = Vec::new();
    for (repository, subject, digest) in subjects {
        let listed = client.get(&format!("/v2/{repository}/referrers/{subject}")).await.expect(200).json();
        let referrers = listed["manifests"].as_array().cloned().unwrap_or_default();
        if !referrers.iter().any(|referrer| referrer["digest"] == **digest) {
            missing.push(format!("{digest} of {repository} is not among the referrers of {subject}"));
        }
    }
    missing
}

async fn whole(client: &Client, (repository, digest, size): (String, String, u64)) -> Result<usize, String> {
    let what = format!("blob {digest} of {repository}, which a manifest needs,");
    let reply = client.get_blob(&repository, &digest).try_send().await.map_err(|broken| format!("{what} {broken}"))?;
    if reply.status != 200 || reply.body.len() as u64 != size || digest_of(&reply.body) != digest {
        return Err(format!("{what} is not whole: {} with {} bytes of {size}", reply.status, reply.body.len()));
    }
    Ok(reply.body.len())
}

/// What is wrong with the lists: tags and repositories must be all that there are, and no others.
async fn lists(model: &Model, client: &Client) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut with_manifests = BTreeSet::new();
    for repository in model.repositories() {
        let expected: Vec<String> = model.tags(&repository).into_keys().collect();
        let reply = client.get(&format!("/v2/{repository}/tags/list")).await;
        match reply.status.as_u16() {
            200 if reply.list("tags") == expected => {}
            404 if expected.is_empty() => {}
            status => wrong.push(format!("tags of {repository} are {status} {}, should be {expected:?}", reply.text())),
        }
        if !model.manifests(&repository).is_empty() {
            with_manifests.insert(repository);
        }
    }
    let catalog = client.catalog().await;
    let missing = with_manifests.into_iter().filter(|repository| !catalog.contains(repository));
    wrong.extend(missing.map(|repository| format!("{repository} is not in the catalog")));
    wrong
}
