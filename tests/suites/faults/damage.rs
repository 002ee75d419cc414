//! Files below the root directory that are lost or damaged: nothing wrong is served, and what can be repaired is repaired.

use std::{fs, path::PathBuf};

use zot_tests::{Client, Image, Sandbox, content::bytes, digest_of, sandbox::run};

use crate::{layouts, load::offset};

fn blob_file(sandbox: &Sandbox, digest: &str) -> PathBuf {
    let hex = &digest["sha256:".len()..];
    sandbox.root().join("_blobs/sha256").join(&hex[..2]).join(hex)
}

/// Fails the test if a blob is served as if it were whole.
async fn expect_not_served(client: &Client, digest: &str) {
    if let Ok(reply) = client.get_blob("a", digest).try_send().await {
        assert!(reply.status.is_server_error(), "a damaged blob is answered with {}", reply.status);
        assert_ne!(reply.error_code(), "");
    }
}

#[tokio::test]
async fn a_blob_whose_file_is_cut_grown_or_gone_is_not_served_and_a_push_repairs_it() {
    let sandbox = Sandbox::builder().tolerate_errors("request failed").tolerate_errors("bring image layouts").start().await;
    let client = sandbox.client();
    let image = Image::with_layers(1, vec![bytes(1, 500_000)]);
    client.push_image("a", "v", &image).await;
    let digest = digest_of(&image.layers[0]);
    let file = blob_file(&sandbox, &digest);
    let damages: [&dyn Fn(); 3] = [
        &|| fs::File::options().write(true).open(&file).unwrap().set_len(100_000).unwrap(),
        &|| fs::File::options().write(true).open(&file).unwrap().set_len(600_000).unwrap(),
        &|| fs::remove_file(&file).unwrap(),
    ];
    for damage in damages {
        damage();
        expect_not_served(&client, &digest).await;
        client.push_blob("b", &image.layers[0]).await;
        for repository in ["a", "b"] {
            assert_eq!(client.get_blob(repository, &digest).await.expect(200).body, image.layers[0]);
        }
    }
}

#[tokio::test]
async fn deleted_image_layouts_take_nothing_from_the_registry_and_come_back() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client();
    let (one, two) = (Image::with_layers(1, vec![bytes(1, 100_000)]), Image::small(2));
    client.push_image("a", "v1", &one).await;
    let shown = async |tags: usize| layouts::shown(sandbox.root(), "a").len() == tags;
    zot_tests::wait::until("the layout is there", async || shown(1).await).await;
    fs::remove_dir_all(sandbox.root().join("a")).unwrap();
    assert_eq!(digest_of(&client.get_manifest("a", "v1").await.expect(200).body), one.digest());
    assert_eq!(client.get_blob("a", &digest_of(&one.layers[0])).await.expect(200).body, one.layers[0]);
    client.push_image("a", "v2", &two).await;
    zot_tests::wait::until("the layout is back", async || shown(2).await).await;
    assert_eq!(client.tags("a").await, ["v1", "v2"]);
}

#[tokio::test]
async fn what_is_left_of_uploads_is_reclaimed_at_start_and_live_ones_go_on() {
    let mut sandbox = Sandbox::start().await;
    let client = sandbox.client();
    let content = bytes(1, 200_000);
    let live = client.start_upload("a").await;
    client.append(&live, 0, &content[..100_000]).await.expect(202);
    let cut = client.start_upload("a").await;
    client.append(&cut, 0, &content[..100_000]).await.expect(202);
    sandbox.kill9();

    let uploads = sandbox.root().join("_uploads");
    let id = cut.rsplit('/').next().unwrap();
    let session = fs::read(uploads.join(format!("{id}.session"))).unwrap();
    fs::write(uploads.join(format!("{id}.session")), &session[..session.len() / 2]).unwrap();
    fs::write(uploads.join("6c7d1e2a-0000-4000-8000-000000000001"), b"staged by nobody").unwrap();
    fs::write(uploads.join("6c7d1e2a-0000-4000-8000-000000000002.session.new"), b"half saved").unwrap();
    sandbox.restart().await;

    let client = sandbox.client();
    client.get(&cut).await.expect_error(404, "BLOB_UPLOAD_UNKNOWN");
    let left: Vec<String> = fs::read_dir(&uploads).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(left.iter().all(|name| !name.starts_with("6c7d1e2a") && *name != id), "{left:?}");
    assert_eq!(offset(&client.get(&live).await.expect(204)), 100_000);
    client.finish_upload(&live, &digest_of(&content), &content[100_000..]).await.expect(201);
}

#[tokio::test]
async fn damaged_metadata_is_refused_with_a_way_out_and_rebuilt() {
    let mut sandbox = Sandbox::builder().tolerate_errors("could not serve").start().await;
    let client = sandbox.client();
    let images: Vec<Image> = (0..40).map(|seed| Image::with_layers(seed, vec![bytes(seed, 30_000)])).collect();
    for (at, image) in images.iter().enumerate() {
        client.push_image("a", &format!("v{at}"), image).await;
    }
    assert_eq!(sandbox.terminate().await.code(), Some(0));
    let file = sandbox.root().join("_zot/metadata.redb");
    let whole = fs::read(&file).unwrap();
    let damages: [(&str, Vec<u8>); 4] = [
        ("no metadata at all", b"this is not a database".repeat(1000)),
        ("zeros", vec![0; whole.len()]),
        ("cut to a half", whole[..whole.len() / 2].to_vec()),
        ("the first page is noise", [&bytes(1, 4096), &whole[4096..]].concat()),
    ];
    for (what, damaged) in damages {
        fs::write(&file, damaged).unwrap();
        sandbox.spawn();
        let ended = sandbox.ready_or_ended().await.unwrap_or_else(|| panic!("started on metadata that is damaged: {what}"));
        assert_eq!(ended.code(), Some(1), "{what}");
        let log = sandbox.logs();
        let last = log.text().lines().rev().find(|line| line.contains("could not serve")).unwrap_or_default();
        assert!(last.contains("metadata.redb") && last.contains("zot rebuild"), "{what}: {last}");
        rebuild(&mut sandbox).await;
        for (at, image) in images.iter().enumerate() {
            let shown = sandbox.client().get_manifest("a", &format!("v{at}")).await.expect(200);
            assert_eq!(shown.body, image.manifest.bytes, "{what}");
        }
        assert_eq!(sandbox.terminate().await.code(), Some(0));
    }
}

async fn rebuild(sandbox: &mut Sandbox) {
    let rebuilt = run(&["rebuild", sandbox.config_file().to_str().expect("a readable path")]);
    assert_eq!(rebuilt.code, Some(0), "{}", rebuilt.stdout);
    sandbox.restart().await;
}

#[tokio::test]
async fn a_small_blob_that_is_zeros_in_its_layout_is_left_out_of_a_rebuild() {
    let mut sandbox = Sandbox::start().await;
    let image = Image::small(1);
    sandbox.client().push_image("a", "v", &image).await;
    assert_eq!(sandbox.terminate().await.code(), Some(0));
    let digest = digest_of(&image.layers[0]);
    let file = sandbox.root().join("a/blobs").join(digest.replace(':', "/"));
    fs::write(&file, vec![0; image.layers[0].len()]).unwrap();
    rebuild(&mut sandbox).await;
    let client = sandbox.client();
    client.get_manifest("a", "v").await.expect(200);
    client.get_blob("a", &digest).await.expect(404);
    client.push_blob("a", &image.layers[0]).await;
    assert_eq!(client.get_blob("a", &digest).await.expect(200).body, image.layers[0]);
}
