//! A root directory that zot wrote is served from the first start on, with all that lies about in it.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use serde_json::{Value, json};
use zot_tests::{
    Image, Manifest, Sandbox,
    content::{self, descriptor, media_type},
    digest_of, sandbox,
    skip::skip,
    wait,
};

/// A root directory as zot leaves it.
struct Root<'r>(&'r Path);

impl Root<'_> {
    fn file(&self, path: &str, bytes: &[u8]) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Makes `repository` a layout with these entries in its index, as text, because zot's encoder writes `null` for none.
    fn repository(&self, repository: &str, manifests: &str) {
        self.file(&format!("{repository}/oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#);
        self.file(&format!("{repository}/index.json"), format!(r#"{{"schemaVersion":2,"manifests":{manifests}}}"#).as_bytes());
        fs::create_dir_all(self.0.join(repository).join("blobs/sha256")).unwrap();
    }

    fn blob(&self, repository: &str, bytes: &[u8]) {
        self.file(&format!("{repository}/blobs/{}", digest_of(bytes).replace(':', "/")), bytes);
    }

    fn image(&self, repository: &str, image: &Image) {
        image.blobs().chain([image.manifest.bytes.as_slice()]).for_each(|bytes| self.blob(repository, bytes));
    }
}

fn tagged(manifest: &Manifest, tag: &str) -> Value {
    let mut descriptor = manifest.descriptor();
    descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
    descriptor
}

fn docker_image() -> Image {
    let (config, layer) = (br#"{"architecture":"amd64","os":"linux"}"#.to_vec(), b"a layer".to_vec());
    let manifest = Manifest::new(&json!({"schemaVersion": 2, "mediaType": media_type::DOCKER_MANIFEST,
        "config": descriptor(media_type::DOCKER_CONFIG, &config), "layers": [descriptor(media_type::DOCKER_LAYER, &layer)]}));
    Image { manifest, config, layers: vec![layer] }
}

/// Writes what zot has after some use: shared layers, an index with children, docker's types, an artifact, and things that are no content.
fn write(root: &Root<'_>) {
    let (web, child) = (Image::with_layers(1, vec![content::bytes(1, 5000)]), Image::small(2));
    let index = Manifest::index(&[web.manifest.descriptor(), child.manifest.descriptor()]);
    let artifact = Image::artifact("application/vnd.example.sbom", 3, Some(&web.manifest.descriptor()));
    let entries = json!([
        child.manifest.descriptor(),
        tagged(&web.manifest, "v1"),
        tagged(&web.manifest, "latest"),
        tagged(&index, "multi"),
        artifact.manifest.descriptor()
    ]);
    root.repository("apps/web", &entries.to_string());
    [&web, &child, &artifact].into_iter().for_each(|image| root.image("apps/web", image));
    root.blob("apps/web", &index.bytes);
    // With dedupe, zot links what two repositories share.
    let copy = Image::with_layers(4, web.layers.clone());
    root.repository("apps", &json!([tagged(&copy.manifest, "copy")]).to_string());
    root.blob("apps", &copy.config);
    root.blob("apps", &copy.manifest.bytes);
    let layer = digest_of(&web.layers[0]).replace(':', "/");
    fs::hard_link(root.0.join("apps/web/blobs").join(&layer), root.0.join("apps/blobs").join(&layer)).unwrap();
    root.repository("empty", "null");
    root.repository("docker", &json!([tagged(&docker_image().manifest, "v2")]).to_string());
    root.image("docker", &docker_image());
    for path in ["apps/web/.uploads/8f1c5b0e-7a3c-4a55-9b4f-1f2f3a4b5c6d", "cache.db", "meta.db", "_restore_complete"] {
        root.file(path, b"1");
    }
    root.file("apps/web/.sync/8f1c5b0e-7a3c-4a55-9b4f-1f2f3a4b5c6d/apps/web/index.json", br#"{"schemaVersion":2,"manifests":null}"#);
    root.file("apps/web/.sync/8f1c5b0e-7a3c-4a55-9b4f-1f2f3a4b5c6d/apps/web/oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    root.file("_trivy/db/trivy.db", b"a database");
    root.file("_cosign/key.pub", b"a key");
    root.file("lost+found/x", b"");
}

#[tokio::test]
async fn everything_zot_served_is_served() {
    for dedupe in [true, false] {
        let mut sandbox = Sandbox::builder().set("/storage/dedupe", dedupe).prepare();
        write(&Root(sandbox.root()));
        sandbox.spawn();
        sandbox.ready().await;
        let client = sandbox.client();
        let catalog = client.catalog().await;
        let expected = ["apps", "apps/web", "docker"];
        assert_eq!(catalog.iter().filter(|name| *name != "empty").collect::<Vec<_>>(), expected);
        assert_eq!(client.tags("apps/web").await, ["latest", "multi", "v1"]);
        let web = Image::with_layers(1, vec![content::bytes(1, 5000)]);
        for reference in ["v1", "latest", &web.digest()] {
            assert!(client.get_manifest("apps/web", reference).await.expect(200).body == web.manifest.bytes);
        }
        for repository in ["apps/web", "apps"] {
            assert!(client.get_blob(repository, &digest_of(&web.layers[0])).await.expect(200).body == web.layers[0]);
        }
        client.get_manifest("apps/web", &Image::small(2).digest()).await.expect(200);
        assert_eq!(client.get_manifest("apps/web", "multi").await.expect(200).header("content-type"), media_type::INDEX);
        let docker = client.get_manifest("docker", "v2").await.expect(200);
        assert_eq!(docker.header("content-type"), media_type::DOCKER_MANIFEST);
        let referrers = client.get(&format!("/v2/apps/web/referrers/{}", web.digest())).await.expect(200).json();
        assert_eq!(referrers["manifests"][0]["artifactType"], "application/vnd.example.sbom");
        assert_eq!(referrers["manifests"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn what_was_adopted_is_lived_in() {
    let mut sandbox = Sandbox::builder().prepare();
    write(&Root(sandbox.root()));
    sandbox.spawn();
    sandbox.ready().await;
    let client = sandbox.client();
    let digest = client.push_image("apps/web", "v3", &Image::small(30)).await;
    client.push_image("empty", "first", &Image::small(31)).await;
    client.delete("/v2/apps/web/manifests/v1").await.expect(202);
    let index = sandbox.root().join("apps/web/index.json");
    wait::until("the layout follows", async || fs::read_to_string(&index).unwrap().contains(&digest)).await;
    assert!(sandbox.terminate().await.success());
    let index: Value = serde_json::from_slice(&fs::read(index).unwrap()).unwrap();
    let names: Vec<_> = index["manifests"].as_array().unwrap().iter().filter_map(|entry| entry["annotations"].as_object()).collect();
    let tags: Vec<_> = names.iter().filter_map(|entry| entry["org.opencontainers.image.ref.name"].as_str()).collect();
    let mut tags: Vec<_> = tags.into_iter().collect();
    tags.sort_unstable();
    assert_eq!(tags, ["latest", "multi", "v3"]);
    // What is not ours is left alone.
    assert_eq!(fs::read(sandbox.root().join("_trivy/db/trivy.db")).unwrap(), b"a database");
    sandbox.restart().await;
    assert_eq!(sandbox.client().tags("apps/web").await, ["latest", "multi", "v3"]);
    assert_eq!(sandbox.client().tags("empty").await, ["first"]);
}

#[tokio::test]
async fn one_strange_entry_costs_no_other() {
    let mut sandbox = Sandbox::builder().prepare();
    let root = Root(sandbox.root());
    let image = Image::small(1);
    root.image("a", &image);
    let strange = [
        json!({"mediaType": media_type::MANIFEST, "digest": format!("sha384:{}", "0".repeat(96)), "size": 2}),
        json!({"mediaType": media_type::MANIFEST, "digest": "not a digest", "size": 2}),
        json!({"mediaType": "text/plain", "digest": digest_of(b"no manifest"), "size": 11}),
        json!({"mediaType": media_type::MANIFEST, "digest": digest_of(b"not there"), "size": 9}),
    ];
    let mut entries = vec![tagged(&image.manifest, "latest"), tagged(&image.manifest, "not/a tag")];
    entries.extend(strange);
    root.repository("a", &Value::from(entries).to_string());
    root.file("a/blobs/sha256/not-a-digest", b"x");
    root.file("a/blobs/md5/d41d8cd98f00b204e9800998ecf8427e", b"");
    sandbox.spawn();
    sandbox.ready().await;
    let client = sandbox.client();
    assert_eq!(client.tags("a").await, ["latest"]);
    assert!(client.get_manifest("a", "latest").await.expect(200).body == image.manifest.bytes);
}

#[tokio::test]
async fn what_cannot_be_a_repository_need_not_be_readable_and_what_can_must_be() {
    if !sandbox::everybody_can_run() {
        return skip("what_cannot_be_a_repository_need_not_be_readable_and_what_can_must_be", "the binary is not for everybody");
    }
    let mut sandbox = Sandbox::builder().unprivileged().tolerate_errors("could not serve").prepare();
    let [lost, backup] = ["lost+found", "backup"].map(|name| sandbox.root().join(name));
    for closed in [&lost, &backup] {
        fs::create_dir_all(closed).unwrap();
        fs::set_permissions(closed, Permissions::from_mode(0o000)).unwrap();
    }
    sandbox.spawn();
    assert_eq!(sandbox.ended().await.code(), Some(1));
    assert!(sandbox.logs().text().contains(backup.to_str().unwrap()), "{}", sandbox.logs());
    fs::remove_dir(&backup).unwrap();
    sandbox.spawn();
    sandbox.ready().await;
    sandbox.client().push_image("a", "latest", &Image::small(1)).await;
    fs::set_permissions(&lost, Permissions::from_mode(0o700)).unwrap();
}
