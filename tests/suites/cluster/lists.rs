//! Lists that are gathered from all nodes: whole and in order, through any gateway, in pages of any length.

use zot_tests::{Client, Cluster, Image};

use crate::start::{repositories, shared};

/// Every name that the pages at `path` have.
async fn pages(client: &Client, path: &str, key: &str) -> Vec<String> {
    let (mut names, mut next) = (Vec::new(), Some(path.to_owned()));
    while let Some(page) = next.take() {
        let reply = client.get(&page).await.expect(200);
        let listed = reply.list(key);
        assert!(!listed.is_empty(), "{page} is an empty page");
        names.extend(listed);
        next = reply.header("link").strip_prefix('<').and_then(|link| Some(link.split_once('>')?.0.to_owned()));
    }
    names
}

async fn lists_are_complete(cluster: &Cluster) {
    let front = cluster.front().await;
    let pusher = front.client().patient();
    let mut expected = repositories();
    expected.sort();
    for repository in &expected {
        pusher.push_image(repository, "latest", &Image::small(1)).await;
    }
    let mut tags: Vec<String> = (0..13).map(|number| format!("t{number}")).chain(["latest".to_owned()]).collect();
    tags.sort();
    for tag in &tags {
        pusher.put_manifest(&expected[0], tag, &Image::small(1).manifest).await.expect(201);
    }
    for gateway in cluster.gateways() {
        let client = gateway.client().patient();
        assert_eq!(client.catalog().await, expected);
        for length in [1, 2, 5, 7, 12, 100] {
            assert_eq!(pages(&client, &format!("/v2/_catalog?n={length}"), "repositories").await, expected, "in pages of {length}");
            let path = format!("/v2/{}/tags/list?n={length}", expected[0]);
            assert_eq!(pages(&client, &path, "tags").await, tags, "in pages of {length}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn catalog_and_tags_are_complete_through_any_gateway() {
    let Some(builder) = shared().await else { return };
    lists_are_complete(&builder.start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_complete_too_where_each_node_has_a_disk_of_its_own() {
    lists_are_complete(&Cluster::builder().start().await).await;
}
