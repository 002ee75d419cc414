//! TLS on the real port: both protocols, certificates renewed while it serves, and clients that must show one.

use std::{fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
pub(crate) use zot_tests::client::Trust;
use zot_tests::{
    Client, Cluster, Image, Sandbox,
    sandbox::{self, Builder},
    wait,
};

pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

pub(crate) fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for `name` and its key, as PEM.
pub(crate) fn issue(authority: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, name);
    let certificate = parameters.signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// Writes certificate and key where the configuration says, each in one step as an administrator's tool does.
pub(crate) fn install(directory: &Path, (certificate, key): &(String, String)) {
    for (name, pem) in [("key.pem", key), ("cert.pem", certificate)] {
        let new = directory.join(format!("{name}.new"));
        fs::write(&new, pem).unwrap();
        fs::rename(new, directory.join(name)).unwrap();
    }
}

pub(crate) fn builder(authority: &Authority) -> Builder {
    let builder = Sandbox::builder();
    let directory = builder.directory();
    install(&directory, &issue(authority, "127.0.0.1"));
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    builder.set("/http/tls/cert", path("cert.pem")).set("/http/tls/key", path("key.pem"))
}

pub(crate) fn trust(authority: &Authority) -> Trust {
    Trust { authority: authority.pem(), ..Trust::default() }
}

#[tokio::test]
async fn both_protocols_are_spoken_over_tls() {
    let authority = authority();
    let sandbox = builder(&authority).https(trust(&authority)).start().await;
    for http2 in [false, true] {
        let client = Client::https(&sandbox.url(), &Trust { http2, ..trust(&authority) });
        let digest = client.push_blob("a", &zot_tests::content::bytes(1, 1_000_000)).await;
        let reply = client.get_blob("a", &digest).await.expect(200);
        assert_eq!(reply.body.len(), 1_000_000);
        assert_eq!(reply.header("strict-transport-security"), "max-age=31536000", "browsers come back over TLS");
        // Locations stay relative, so that they are right behind any proxy.
        assert!(client.start_upload("a").await.starts_with("/v2/a/blobs/uploads/"));
    }
    wait::until("it is told", async || sandbox.logs().text().contains("serving https://")).await;
}

#[tokio::test]
async fn plain_http_is_not_answered_on_a_tls_port() {
    let authority = authority();
    let sandbox = builder(&authority).https(trust(&authority)).start().await;
    let plain = Client::new(&format!("http://{}", sandbox.address()));
    plain.get("/v2/").try_send().await.unwrap_err();
}

#[tokio::test]
async fn a_process_is_found_ready_on_its_host_whatever_name_its_certificate_has() {
    let authority = authority();
    let builder = builder(&authority);
    let directory = builder.directory();
    let sandbox = builder.https(trust(&authority)).start().await;
    install(&directory, &issue(&authority, "registry.example.com"));
    let ready = || sandbox::run(&["ready", sandbox.config_file().to_str().unwrap()]).code == Some(0);
    wait::until("the renewed certificate is served", async || ready()).await;
}

#[tokio::test]
async fn a_renewed_certificate_is_used_without_a_restart() {
    let (old, new) = (authority(), authority());
    let sandbox = builder(&old).https(trust(&old)).start().await;
    let client = Client::https(&sandbox.url(), &trust(&new));
    client.get("/v2/").try_send().await.unwrap_err();
    let kept = sandbox.client();
    kept.get("/v2/").await.expect(200);
    install(sandbox.directory(), &issue(&new, "127.0.0.1"));
    wait::until("the new certificate is shown", async || client.get("/v2/").try_send().await.is_ok()).await;
    // Connections that are open stay so.
    kept.get("/v2/").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_gateway_of_a_cluster_shows_a_renewed_certificate_without_a_restart() {
    let (old, new) = (authority(), authority());
    let builder = Cluster::builder().https(trust(&old));
    let directory = builder.directory();
    install(&directory, &issue(&old, "127.0.0.1"));
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let cluster = builder.set("/http/tls/cert", path("cert.pem")).set("/http/tls/key", path("key.pem")).start().await;
    let image = Image::small(1);
    let before: Vec<Client> = cluster.gateways().iter().map(|gateway| gateway.client()).collect();
    before[0].push_image("a", "latest", &image).await;
    before[1].get_manifest("a", "latest").await.expect(200);
    install(&directory, &issue(&new, "127.0.0.1"));
    for (gateway, kept) in cluster.gateways().iter().zip(&before) {
        let client = Client::https(&gateway.url(), &trust(&new));
        wait::until("the new certificate is shown", async || client.get("/v2/").try_send().await.is_ok()).await;
        // Connections that are open stay so.
        for client in [&client, kept] {
            assert!(client.get_manifest("a", "latest").await.expect(200).body == image.manifest.bytes);
        }
    }
}

#[tokio::test]
async fn a_broken_certificate_file_does_not_replace_a_good_one() {
    let (old, new) = (authority(), authority());
    let mut sandbox = builder(&old).https(trust(&old)).start().await;
    fs::write(sandbox.directory().join("cert.pem"), "half a certif").unwrap();
    wait::until("the file was read", async || sandbox.logs().text().contains("cert.pem")).await;
    sandbox.tolerate_errors("certificate");
    sandbox.client().get("/v2/").await.expect(200);
    install(sandbox.directory(), &issue(&new, "127.0.0.1"));
    let client = Client::https(&sandbox.url(), &trust(&new));
    wait::until("the new certificate is shown", async || client.get("/v2/").try_send().await.is_ok()).await;
}

#[tokio::test]
async fn with_an_authority_for_clients_no_other_certificate_is_taken_and_without_one_nobody_is_known() {
    let (authority, clients, others) = (authority(), self::authority(), self::authority());
    let builder = builder(&authority);
    let file = builder.directory().join("clients.pem");
    fs::write(&file, clients.pem()).unwrap();
    let mine = Trust { identity: Some(issue(&clients, "client")), ..trust(&authority) };
    let sandbox = builder.set("/http/tls/cacert", file.to_str().unwrap()).https(mine).start().await;
    sandbox.client().push_blob("a", b"from a known client").await;
    let stranger = Client::https(&sandbox.url(), &Trust { identity: Some(issue(&others, "client")), ..trust(&authority) });
    stranger.get("/v2/").try_send().await.unwrap_err();
    let nobody = Client::https(&sandbox.url(), &trust(&authority));
    nobody.get("/v2/").await.expect_error(401, "UNAUTHORIZED");
    nobody.get("/livez").await.expect(200);
}
