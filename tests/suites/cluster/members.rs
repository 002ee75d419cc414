//! zot's scale-out files: all-in-one processes that name each other's HTTP addresses serve as one registry.

use zot_tests::{Image, Sandbox, wait};

/// So many that each member keeps some, by whatever identities the members give themselves: of a dozen, one in fifty starts left one with none.
const REPOSITORIES: usize = 48;

#[tokio::test]
async fn all_in_one_processes_that_name_each_other_are_one_registry() {
    let mut members: Vec<Sandbox> = (0..3).map(|_| Sandbox::builder().prepare()).collect();
    let addresses: Vec<String> = members.iter().map(|member| member.address().to_string()).collect();
    for member in &mut members {
        member.set("/cluster/members", addresses.clone());
        member.set("/cluster/hashKey", "loremipsumdolors");
        member.spawn();
    }
    for member in &mut members {
        member.ready().await;
    }
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
