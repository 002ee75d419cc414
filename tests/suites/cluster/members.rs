//! zot's scale-out files: all-in-one processes that name each other's HTTP addresses serve as one registry.

use std::{fs, path::Path};

use serde_json::Value;
use tempfile::TempDir;
use zot_services::{Haproxy, port};
use zot_tests::{
    Client, Image, Sandbox,
    cluster::{prepare_members, start_members},
    skip::skip,
    wait,
};

use crate::start::shared_endpoints;

/// So many that each member keeps some, by whatever identities the members give themselves: of a dozen, one in fifty starts left one with none.
const REPOSITORIES: usize = 48;

#[tokio::test]
async fn all_in_one_processes_that_name_each_other_are_one_registry() {
    let mut members = prepare_members::<3>();
    start_members(&mut members).await;
    let mut expected: Vec<String> = (0..REPOSITORIES).map(|number| format!("team-{number}/app")).collect();
    expected.sort();
    for (repository, member) in expected.iter().zip(members.iter().cycle()) {
        member.client().push_image(repository, "v1", &Image::small(1)).await;
    }
    for member in &members {
        let client = member.client();
        assert_eq!(client.catalog().await, expected);
        for repository in &expected {
            client.get(&format!("/v2/{repository}/manifests/v1")).await.expect(200);
        }
    }
    // Layouts follow what was pushed.
    let keeps_some = |member: &Sandbox| expected.iter().any(|name| member.root().join(name).exists());
    wait::until("every member keeps some of them", async || members.iter().all(keeps_some)).await;
    for member in &mut members {
        assert!(member.terminate().await.success());
    }
}

/// What of a configuration is shipped for members with shared storage.
fn shipped(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/scale-out-cluster-cloud");
    fs::read_to_string(folder.join(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_files_that_are_shipped_make_one_registry_behind_their_load_balancer() {
    let Some(endpoints) = shared_endpoints().await else { return };
    if let Err(reason) = Haproxy::available() {
        return skip("members::the_files_that_are_shipped_make_one_registry_behind_their_load_balancer", &reason);
    }
    let names = ["config-cluster-member0.json", "config-cluster-member1.json", "config-cluster-member2.json"];
    let mut configs = names.map(|name| serde_json::from_str::<Value>(&shipped(name)).unwrap());
    let shipped_at = configs.clone().map(|config| format!("127.0.0.1:{}", config["http"]["port"].as_str().unwrap()));
    endpoints.lend(&mut configs);
    // In zot's own files all members have one directory.
    let root = TempDir::new().unwrap();
    let mut members = configs.map(|config| Sandbox::builder().with(config).root(root.path()).in_services().prepare());
    let addresses = members.each_ref().map(|member| member.address().to_string());
    start_members(&mut members).await;
    let front = port::free();
    let places = shipped_at.iter().zip(&addresses);
    let balancer = places.fold(shipped("haproxy.cfg"), |text, (shipped, here)| {
        assert!(text.contains(&format!(" {shipped}\n")), "{shipped}: {text}");
        text.replace(shipped, here)
    });
    let _balancer = Haproxy::configured(&balancer.replace("127.0.0.1:8080", &format!("127.0.0.1:{front}")), front).await;

    let client = Client::new(&format!("http://127.0.0.1:{front}"));
    wait::until("the load balancer has found the members", async || client.get("/v2/").await.status == 200).await;
    let image = Image::small(1);
    let repositories = crate::start::repositories();
    for repository in &repositories {
        client.push_image(repository, "v1", &image).await;
        assert!(client.get_manifest(repository, "v1").await.expect(200).body == image.manifest.bytes);
    }
    let mut expected = repositories.clone();
    expected.sort();
    for member in &members {
        assert_eq!(member.client().catalog().await, expected);
        member.client().get_manifest(&repositories[0], "v1").await.expect(200);
    }
    let is_asked = |member: &Sandbox| member.logs().lines().any(|line| line["path"] == "/v2/balanced/tags/list");
    wait::until("every member is asked by the load balancer", async || {
        client.get("/v2/balanced/tags/list").await.expect(404);
        members.iter().all(is_asked)
    })
    .await;
    for member in &mut members {
        assert!(member.terminate().await.success());
        let own = root.path().join("_members").join(member.address().port().to_string());
        assert!(own.join("_cluster").is_dir(), "{}", own.display());
    }
    let besides = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).filter(|name| name != "_members");
    assert_eq!(besides.count(), 0, "members of one host share nothing on its disk");
}
