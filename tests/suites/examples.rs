//! The examples that keep something in services: each is served, with the services of tests in the place of those that it names.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use zot_services::port;
use zot_tests::{
    Client, Image, Sandbox,
    client::Call,
    cluster::{Endpoints, Services},
    content, digest_of,
    sandbox::Builder,
    skip::skip,
};

use crate::tls;

/// A line that lets alice in by `pw-alice`, with the least cost.
const ALICE: &str = "alice:$2y$04$4QX9o67odHjqIMEQDgiXM.9tgvuk5ZVS/m.qkaBHMQlF3jdl.4e5.\n";
/// A layer of this size is an object of its own, in bytes.
const LAYER_BYTES: usize = 300_000;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

/// The examples for one process, or one of each kind, that name a service, by file name.
fn with_services() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder()).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if !name.starts_with("config-") || !name.ends_with(".json") {
            continue;
        }
        let config: Value = serde_json::from_str(&fs::read_to_string(entry.path()).unwrap()).unwrap();
        let names_one = ["/storage/storageDriver", "/storage/cacheDriver", "/cluster/redis", "/http/auth/sessionDriver"];
        if names_one.into_iter().any(|path| config.pointer(path).is_some()) {
            found.push((name, config));
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found
}

/// A registry with the configuration of an example, but for what only its users have: services, files, addresses.
struct Served {
    sandbox: Sandbox,
    has_users: bool,
}

impl Served {
    async fn start(mut config: Value, services: &Endpoints) -> Self {
        services.lend(std::slice::from_mut(&mut config));
        let mut builder = Sandbox::builder().with(config.clone()).in_services();
        let directory = builder.directory();
        let file = |name: &str| directory.join(name).to_str().unwrap().to_owned();
        if config.pointer("/storage/rootDirectory").is_some() {
            builder = builder.root(&directory.join("root"));
        }
        if config.pointer("/http/tls").is_some() {
            let authority = tls::authority();
            builder = with_certificates(builder, &authority).https(tls::trust(&authority));
        }
        if config.get("cluster").is_some() {
            // Of the nodes this process is one, and the only one.
            fs::write(file("claim.key"), "a secret of these tests alone").unwrap();
            builder = builder.set("/cluster/nodes", json!([format!("127.0.0.1:{}", port::free())]));
            builder = builder.set("/cluster/claimKeyFile", file("claim.key"));
        }
        let has_users = config.pointer("/http/auth").is_some();
        if has_users {
            fs::write(file("htpasswd"), ALICE).unwrap();
            builder = builder.set("/http/auth/htpasswd/path", file("htpasswd"));
        }
        if let Some(provider) = config.pointer("/http/auth/openid/providers/oidc") {
            let credentials = folder().join("..").join(provider["credentialsFile"].as_str().unwrap());
            builder = builder.set("/http/auth/openid/providers/oidc/credentialsFile", credentials.to_str().unwrap());
        }
        Self { sandbox: builder.start().await, has_users }
    }

    /// A request of whoever may make it.
    fn by_somebody<'c>(&self, call: Call<'c>) -> Call<'c> {
        if self.has_users { call.basic("alice", "pw-alice") } else { call }
    }

    async fn push(&self, client: &Client, image: &Image) {
        for blob in image.blobs() {
            let upload = self.by_somebody(client.post("/v2/team/app/blobs/uploads/")).await.expect(202).location();
            self.by_somebody(client.finish_upload(&upload, &digest_of(blob), blob)).await.expect(201);
        }
        self.by_somebody(client.put_manifest("team/app", "v1", &image.manifest)).await.expect(201);
    }

    /// Pulls it as it was pushed. Returns how many blobs S3 gave itself.
    async fn pull(&self, client: &Client, image: &Image) -> usize {
        assert!(self.by_somebody(client.get_manifest("team/app", "v1")).await.expect(200).body == image.manifest.bytes);
        let mut from_s3 = 0;
        for blob in image.blobs() {
            let mut reply = self.by_somebody(client.get_blob("team/app", &digest_of(blob))).await;
            if reply.status == 307 {
                from_s3 += 1;
                reply = client.get(reply.header("location")).await;
            }
            assert!(reply.expect(200).body == blob);
        }
        from_s3
    }
}

/// Has clients, and members if there are to be any, shown certificates for this host.
fn with_certificates(builder: Builder, authority: &tls::Authority) -> Builder {
    let directory = builder.directory();
    tls::install(&directory, &tls::issue(authority, "127.0.0.1"));
    fs::write(directory.join("ca.pem"), authority.pem()).unwrap();
    let file = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let builder = builder.set("/http/tls/cert", file("cert.pem")).set("/http/tls/key", file("key.pem"));
    builder.set("/cluster/tls", json!({"cert": file("cert.pem"), "key": file("key.pem"), "cacert": file("ca.pem")}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_that_names_services_takes_and_gives_an_image() {
    if let Err(reason) = Services::available() {
        return skip("examples::every_example_that_names_services_takes_and_gives_an_image", &reason);
    }
    let services = Services::shared().await;
    let image = Image::with_layers(1, vec![content::bytes(1, LAYER_BYTES)]);
    let examples = with_services();
    assert!(examples.len() >= 6, "{examples:?}");
    for (name, config) in examples {
        // Shown if the test fails.
        eprintln!("{name}");
        let redirects = config.pointer("/storage/redirectBlobURL") == Some(&true.into());
        let keeps_sessions = config.pointer("/http/auth/sessionDriver").is_some();
        let mut served = Served::start(config, &services.endpoints()).await;
        let client = served.sandbox.client();
        served.push(&client, &image).await;
        assert_eq!(served.pull(&client, &image).await > 0, redirects, "{name}");
        if keeps_sessions {
            log_in(&client).await;
            let keys = services.redis.lock().await.keys();
            let prefix = served.sandbox.setting("/http/auth/sessionDriver/keyprefix");
            assert!(keys.iter().any(|key| key.starts_with(prefix)), "{prefix}: {keys:?}");
        }
        assert!(served.sandbox.terminate().await.success(), "{name}");
    }
}

/// Begins a session as the pages do.
async fn log_in(client: &Client) {
    let reply = client.get("/v2/").basic("alice", "pw-alice").header("x-zot-api-client", "zot-ui").await.expect(200);
    assert!(!reply.all("set-cookie").is_empty());
}
