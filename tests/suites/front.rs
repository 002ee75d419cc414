//! The front that stands before the gateways of a cluster, itself put to the test: what it does wrong would be held against the registry.

use bytes::Bytes;
use futures::stream;
use zot_tests::{Client, Front, Image, Sandbox, content, digest_of, front::Names, wait};

#[tokio::test]
async fn requests_take_turns_and_one_that_is_gone_is_left_out() {
    let (one, mut two) = (Sandbox::start().await, Sandbox::start().await);
    let front = Front::start([one.address(), two.address()], Names::as_they_are()).await;
    let shares_of_ten = async || {
        let before = front.shares();
        for _ in 0..10 {
            front.client().get("/v2/").await.expect(200);
        }
        let after = front.shares();
        [after[0] - before[0], after[1] - before[1]]
    };
    // One that does not say in time that it is ready is left out for a while.
    wait::until("both are ready and take turns", async || shares_of_ten().await == [5, 5]).await;
    two.kill9();
    assert_eq!(shares_of_ten().await, [10, 0]);
    two.restart().await;
    wait::until("the other is asked again", async || shares_of_ten().await[1] > 0).await;
}

#[tokio::test]
async fn every_test_sees_its_own_repositories_only() {
    let sandbox = Sandbox::start().await;
    let mut fronts = Vec::new();
    for number in 1..=11 {
        fronts.push(Front::start([sandbox.address()], Names::beneath(&format!("test{number}"))).await);
    }
    for (number, front) in (1..).zip(&fronts) {
        assert!(front.client().catalog().await.is_empty());
        for repository in ["b", "a", "a/b"] {
            front.client().push_image(repository, &format!("of-{number}"), &Image::small(number)).await;
        }
    }
    for (number, front) in (1..).zip(&fronts) {
        let client = front.client();
        assert_eq!(client.catalog().await, ["a", "a/b", "b"]);
        let page = client.get("/v2/_catalog?n=2").await.expect(200);
        assert_eq!(page.list("repositories"), ["a", "a/b"]);
        let next = page.header("link").trim_start_matches('<').split('>').next().unwrap().to_owned();
        let page = client.get(&next).await.expect(200);
        assert_eq!((page.list("repositories"), page.header("link")), (vec!["b".to_owned()], ""));
        // A page that ends with the last one has nothing after it, although other tests' repositories follow.
        assert_eq!(client.get("/v2/_catalog?n=3").await.expect(200).header("link"), "");
        let tags = client.get("/v2/a/b/tags/list").await.expect(200);
        assert_eq!((tags.json()["name"].as_str(), tags.list("tags")), (Some("a/b"), vec![format!("of-{number}")]));
        assert!(!client.get_manifest("a", "absent").await.expect(404).text().contains("test"));
        let location = client.start_upload("a").await;
        assert!(location.starts_with("/v2/a/blobs/uploads/"), "{location}");
    }
}

#[tokio::test]
async fn bodies_stream_through_it_over_either_protocol() {
    let sandbox = Sandbox::start().await;
    let front = Front::start([sandbox.address()], Names::beneath("test")).await;
    let bytes = content::bytes(1, 5_000_000);
    for client in [front.client(), Client::http2(&front.url())] {
        let upload = client.start_upload("a").await;
        let pieces: Vec<_> = bytes.chunks(65_536).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let digest = digest_of(&bytes);
        client.put(&format!("{upload}?digest={digest}")).stream(stream::iter(pieces)).await.expect(201);
        assert!(client.get_blob("a", &digest).await.expect(200).body == bytes);
    }
}
