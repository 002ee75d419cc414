//! Tags and repositories, whole and in pages (distribution-spec, "Listing Tags"; docker's catalog).

use zot_tests::{Client, Image, Reply, in_both_shapes};

async fn push_tags(client: &Client, tags: &[&str]) {
    let image = Image::small(1);
    for tag in tags {
        client.push_image("a", tag, &image).await;
    }
}

/// The path in a `Link` header to the next page.
fn next(reply: &Reply) -> Option<String> {
    let link = reply.header("link");
    let (path, rest) = link.strip_prefix('<')?.split_once('>')?;
    assert_eq!(rest, r#"; rel="next""#);
    Some(path.to_owned())
}

async fn all_pages(client: &Client, first: &str, key: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut path = Some(first.to_owned());
    while let Some(this) = path {
        let reply = client.get(&this).await.expect(200);
        pages.push(reply.list(key));
        path = next(&reply);
        assert!(pages.len() < 100, "the links go round in circles");
    }
    pages
}

in_both_shapes!(tags_are_listed_in_order_and_by_name, |registry| async move {
    let client = registry.client();
    push_tags(&client, &["v2", "v10", "V1", "latest", "_x", "0"]).await;
    let reply = client.get("/v2/a/tags/list").await.expect(200);
    assert_eq!(reply.json()["name"], "a");
    assert_eq!(reply.list("tags"), ["0", "V1", "_x", "latest", "v10", "v2"]);
    assert_eq!(next(&reply), None);
});

in_both_shapes!(tags_come_in_pages_linked_to_each_other, |registry| async move {
    let client = registry.client();
    push_tags(&client, &["a", "b", "c", "d", "e"]).await;
    let pages = all_pages(&client, "/v2/a/tags/list?n=2", "tags").await;
    assert_eq!(pages, [vec!["a", "b"], vec!["c", "d"], vec!["e"]]);
    // Exactly the last page has no link.
    assert_eq!(all_pages(&client, "/v2/a/tags/list?n=5", "tags").await.len(), 1);
    assert_eq!(client.get("/v2/a/tags/list?last=b").await.expect(200).list("tags"), ["c", "d", "e"]);
    assert_eq!(client.get("/v2/a/tags/list?last=bb&n=1").await.expect(200).list("tags"), ["c"]);
    assert!(client.get("/v2/a/tags/list?last=e").await.expect(200).list("tags").is_empty());
    assert!(client.get("/v2/a/tags/list?n=0").await.expect(200).list("tags").is_empty());
});

in_both_shapes!(
    a_page_is_never_longer_than_the_limit,
    |settings| settings.set("/http/limits/pageEntriesMax", 2).shared(),
    |registry| async move {
        let client = registry.client();
        push_tags(&client, &["a", "b", "c"]).await;
        for query in ["", "?n=3", "?n=99999999999999999999999999"] {
            let pages = all_pages(&client, &format!("/v2/a/tags/list{query}"), "tags").await;
            assert_eq!(pages, [vec!["a", "b"], vec!["c"]], "{query}");
        }
    }
);

in_both_shapes!(a_number_of_entries_that_is_none_is_refused, |registry| async move {
    let client = registry.client();
    push_tags(&client, &["a"]).await;
    for path in ["/v2/a/tags/list", "/v2/_catalog"] {
        for query in ["?n=-1", "?n=x", "?n=1&n=2", "?last=a&last=b"] {
            client.get(&format!("{path}{query}")).await.expect(400);
        }
    }
});

in_both_shapes!(the_catalog_lists_repositories_in_order_and_in_pages, |registry| async move {
    let client = registry.client();
    assert!(client.catalog().await.is_empty());
    for repository in ["b", "a/x", "a", "c/d/e", "a-b"] {
        client.push_image(repository, "latest", &Image::small(1)).await;
    }
    let all = client.catalog().await;
    assert_eq!(all, ["a", "a-b", "a/x", "b", "c/d/e"]);
    let pages = all_pages(&client, "/v2/_catalog?n=2", "repositories").await;
    assert_eq!(pages, [vec!["a", "a-b"], vec!["a/x", "b"], vec!["c/d/e"]]);
    assert_eq!(client.get("/v2/_catalog?last=aa").await.expect(200).list("repositories"), ["b", "c/d/e"]);
});

in_both_shapes!(a_repository_without_tags_has_an_empty_list, |registry| async move {
    let client = registry.client();
    let image = Image::small(1);
    client.push_image("a", &image.digest(), &image).await;
    assert!(client.tags("a").await.is_empty());
    assert_eq!(client.catalog().await, ["a"]);
});
