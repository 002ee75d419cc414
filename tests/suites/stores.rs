//! Where bytes lie: shared or not, in which of several stores, and never anywhere else.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use serde_json::json;
use zot_tests::{Image, Sandbox, content, digest_of, in_both_shapes, wait};

use crate::wire::{exchange, status};

/// The files below `directory` that hold `length` bytes.
fn files_of(directory: &Path, length: u64) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let (path, metadata) = (entry.path(), entry.metadata().unwrap());
        if metadata.is_dir() {
            found.extend(files_of(&path, length));
        } else if metadata.len() == length {
            found.push(path);
        }
    }
    found
}

fn inodes(files: &[PathBuf]) -> Vec<u64> {
    let mut inodes: Vec<u64> = files.iter().map(|file| fs::metadata(file).unwrap().ino()).collect();
    inodes.sort_unstable();
    inodes.dedup();
    inodes
}

const LENGTH: usize = 77_777;

async fn with_one_blob_in_three_repositories(dedupe: bool) -> Sandbox {
    let sandbox = Sandbox::builder().set("/storage/dedupe", dedupe).start().await;
    let client = sandbox.client();
    let bytes = content::bytes(1, LENGTH);
    let digest = client.push_blob("a", &bytes).await;
    client.push_blob("b/c", &bytes).await;
    client.post(&format!("/v2/d/blobs/uploads/?mount={digest}&from=a")).await.expect(201);
    for repository in ["a", "b/c", "d"] {
        assert!(client.get_blob(repository, &digest).await.expect(200).body == bytes);
    }
    sandbox
}

#[tokio::test]
async fn with_dedupe_equal_bytes_lie_on_the_disk_once() {
    let sandbox = with_one_blob_in_three_repositories(true).await;
    assert_eq!(inodes(&files_of(sandbox.root(), LENGTH as u64)).len(), 1);
}

#[tokio::test]
async fn without_dedupe_every_repository_has_bytes_of_its_own() {
    let sandbox = with_one_blob_in_three_repositories(false).await;
    assert_eq!(inodes(&files_of(sandbox.root(), LENGTH as u64)).len(), 3);
    let client = sandbox.client();
    let digest = digest_of(&content::bytes(1, LENGTH));
    client.delete(&format!("/v2/a/blobs/{digest}")).await.expect(202);
    client.get_blob("b/c", &digest).await.expect(200);
    client.get_blob("d", &digest).await.expect(200);
}

#[tokio::test]
async fn sub_paths_have_stores_of_their_own() {
    let builder = Sandbox::builder();
    let other = builder.directory().join("other");
    let sandbox = builder.set("/storage/subPaths", json!({"/infra": {"rootDirectory": other, "dedupe": true}})).start().await;
    let client = sandbox.client();
    for repository in ["infra", "infra/tools", "infra/tools/deep", "apps/web"] {
        client.push_image(repository, "latest", &Image::small(1)).await;
    }
    let layout = |root: &Path, repository: &str| root.join(repository).join("index.json").is_file();
    wait::until("every repository has its layout", async || {
        layout(&other, "infra/tools") && layout(&other, "infra/tools/deep") && layout(sandbox.root(), "infra")
    })
    .await;
    assert!(!other.join("infra/index.json").exists());
    assert!(!sandbox.root().join("infra/tools").exists());
    let mut catalog = client.catalog().await;
    catalog.sort();
    assert_eq!(catalog, ["apps/web", "infra", "infra/tools", "infra/tools/deep"]);
}

#[tokio::test]
async fn routes_share_a_store_however_its_root_directory_is_written() {
    let builder = Sandbox::builder();
    let other = builder.directory().join("other");
    let again = format!("{}/./", other.display());
    let routes = json!({"/a": {"rootDirectory": other}, "/b": {"rootDirectory": again}});
    let sandbox = builder.set("/storage/subPaths", routes).start().await;
    let client = sandbox.client();
    for repository in ["a/x", "b/x"] {
        client.push_image(repository, "latest", &Image::small(1)).await;
    }
    assert_eq!(client.catalog().await, ["a/x", "b/x"]);
}

in_both_shapes!(blobs_are_not_mounted_from_one_store_into_another, |settings| settings.sub_path("/infra"), |registry| async move {
    let client = registry.client();
    let digest = client.push_blob("apps/web", b"out of reach").await;
    for from in ["&from=apps/web", ""] {
        client.post(&format!("/v2/infra/tools/blobs/uploads/?mount={digest}{from}")).await.expect(202);
    }
    client.post(&format!("/v2/apps/other/blobs/uploads/?mount={digest}&from=apps/web")).await.expect(201);
});

in_both_shapes!(images_are_served_from_whichever_store_they_are_in, |settings| settings.sub_path("/infra"), |registry| async move {
    let client = registry.client();
    let (image, other) = (Image::small(1), Image::small(2));
    for repository in ["infra", "infra/tools", "apps/web"] {
        client.push_image(repository, "latest", &image).await;
    }
    let upload = client.start_upload("infra/tools").await;
    let bytes = content::bytes(3, 100_000);
    let upload = client.append(&upload, 0, &bytes[..60_000]).await.expect(202).location();
    client.append(&upload, 60_000, &bytes[60_000..]).await.expect(202);
    client.finish_upload(&upload, &digest_of(&bytes), b"").await.expect(201);
    assert!(client.get_blob("infra/tools", &digest_of(&bytes)).await.expect(200).body == bytes);
    client.get_blob("infra", &digest_of(&bytes)).await.expect(404);
    client.push_image("infra/tools", "latest", &other).await;
    for (repository, expected) in [("infra", &image), ("infra/tools", &other), ("apps/web", &image)] {
        assert!(client.get_manifest(repository, "latest").await.expect(200).body == expected.manifest.bytes, "{repository}");
        for blob in expected.blobs() {
            assert!(client.get_blob(repository, &digest_of(blob)).await.expect(200).body == blob, "{repository}");
        }
    }
});

in_both_shapes!(the_catalog_goes_over_all_stores_in_pages, |settings| settings.sub_path("/b").sub_path("/d"), |registry| async move {
    let client = registry.client();
    let all = ["a/1", "b/1", "b/2", "c/1", "d/1", "d/2", "e/1"];
    for repository in all {
        client.push_image(repository, "latest", &Image::small(1)).await;
    }
    let (mut seen, mut path) = (Vec::new(), Some("/v2/_catalog?n=2".to_owned()));
    while let Some(this) = path.take() {
        let reply = client.get(&this).await.expect(200);
        seen.extend(reply.list("repositories"));
        path = reply.header("link").strip_prefix('<').map(|link| link.split('>').next().unwrap().to_owned());
        assert!(seen.len() <= all.len(), "{seen:?}");
    }
    seen.sort();
    assert_eq!(seen, all);
});

#[tokio::test]
async fn no_path_leads_out_of_the_root_directory() {
    let sandbox = Sandbox::start().await;
    let secret = sandbox.directory().join("secret");
    fs::write(&secret, "secret").unwrap();
    let tricks = [
        "/v2/../secret",
        "/v2/../../etc/passwd/tags/list",
        "/v2/%2e%2e/secret/tags/list",
        "/v2/a/..%2f..%2fsecret/manifests/latest",
        "/v2/a/blobs/sha256:..%2f..%2f..%2fsecret",
        "/v2/a/manifests/..%2f..%2fsecret",
        "/v2/a/blobs/uploads/..%2f..%2fsecret",
        "/v2/_blobs/tags/list",
        "/v2/_zot/manifests/metadata.redb",
        "/v2/a%00b/tags/list",
        "/v2/a%0d%0aSet-Cookie:x/tags/list",
        "/v2/%ff%fe/tags/list",
        "/v2//tags/list",
        "/v2/a//b/tags/list",
        "/v2/a/./tags/list",
        "/v2/.hidden/tags/list",
        "/v2/a%252e%252e/tags/list",
        "/v2/-/tags/list",
    ];
    for path in tricks {
        for method in ["GET", "PUT", "DELETE", "POST"] {
            let answer = exchange(&sandbox, &format!("{method} {path}"), "Content-Length: 0\r\n", "").await;
            assert!((400..500).contains(&status(&answer)), "{method} {path}: {answer}");
            assert!(!answer.contains("secret\r\n") && !answer.contains("root:"), "{method} {path}: {answer}");
        }
    }
    assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
    let root: Vec<_> = fs::read_dir(sandbox.root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(root.iter().all(|name| name.to_str().unwrap().starts_with('_')), "{root:?}");
    sandbox.client().push_image("well", "latest", &Image::small(9)).await;
}
