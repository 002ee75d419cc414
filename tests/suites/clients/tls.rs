//! Clients over TLS: with an authority of our own, and with certificates on both sides.

use std::{fs, path::Path};

use serde_json::json;
use tempfile::TempDir;
use zot_tests::{in_each_shape, shapes::Shape};

use crate::{
    authority::{Authority, Identity, Served},
    buildah::{self, Buildah},
    layout::Layout,
    program::Program,
};

/// An image to push, in the program's home.
fn image_for(program: &Program) -> Layout {
    Layout::with_image(program.home().join("source"), "v1")
}

/// A directory with what skopeo, podman and buildah need to talk to a registry.
fn certificates(home: &Path, authority: &Authority, identity: Option<&Identity>) -> String {
    let directory = home.join(if identity.is_some() { "certificates-both" } else { "certificates" });
    fs::create_dir(&directory).expect("a directory");
    authority.write(&directory.join("ca.crt"));
    if let Some(identity) = identity {
        fs::copy(&identity.certificate, directory.join("client.cert")).expect("the certificate");
        fs::copy(&identity.key, directory.join("client.key")).expect("the key");
    }
    directory.display().to_string()
}

async fn with_skopeo(shape: Shape) {
    let Some(skopeo) = Program::find("skopeo") else { return };
    let (authority, layout) = (Authority::new(), image_for(&skopeo));
    let identity = authority.issue(skopeo.home(), "me");
    let (plain, both) = (authority.registry(shape).await, authority.registry_for(shape, &identity).await);
    let (anonymous, known) = (certificates(skopeo.home(), &authority, None), certificates(skopeo.home(), &authority, Some(&identity)));
    for (registry, certificates) in [(&plain, &anonymous), (&both, &known)] {
        let remote = format!("docker://{}/a/b:v1", registry.address());
        let copy = |options: &str, from: &str, to: &str| format!("--insecure-policy copy -q --preserve-digests {options} {from} {to}");
        let source = format!("oci:{}:v1", layout.path().display());
        let back = skopeo.home().join(format!("back-{}", registry.address().port()));
        skopeo.run(&copy(&format!("--dest-cert-dir {certificates}"), &source, &remote)).await;
        skopeo.run(&copy(&format!("--src-cert-dir {certificates}"), &remote, &format!("oci:{}:v1", back.display()))).await;
        layout.assert_copied_to(&back);
        let told = skopeo.refused(&format!("inspect {remote}")).await;
        assert!(told.contains("certificate"), "{told}");
    }
    skopeo.refused(&format!("inspect --cert-dir {anonymous} docker://{}/a/b:v1", both.address())).await;
}

async fn with_oras(shape: Shape) {
    let Some(oras) = Program::find("oras") else { return };
    let authority = Authority::new();
    let ca = authority.write(&oras.home().join("ca.crt")).display().to_string();
    let identity = authority.issue(oras.home(), "me");
    let (plain, both) = (authority.registry(shape).await, authority.registry_for(shape, &identity).await);
    let shown = format!("--cert-file {} --key-file {}", identity.certificate.display(), identity.key.display());
    fs::write(oras.home().join("file"), "over TLS").expect("a file");
    for (registry, shown) in [(&plain, ""), (&both, shown.as_str())] {
        let artifact = format!("{}/a/b:v1", registry.address());
        oras.run(&format!("push --ca-file {ca} {shown} --artifact-type application/vnd.example {artifact} file")).await;
        oras.run(&format!("pull --ca-file {ca} {shown} -o back {artifact}")).await;
        assert_eq!(fs::read_to_string(oras.home().join("back/file")).expect("the file"), "over TLS");
        oras.refused(&format!("resolve {artifact}")).await;
    }
    oras.refused(&format!("resolve --ca-file {ca} {}/a/b:v1", both.address())).await;
}

/// It has no way to show a certificate.
async fn with_crane(shape: Shape) {
    let Some(crane) = Program::find("crane") else { return };
    let authority = Authority::new();
    let (registry, layout) = (authority.registry(shape).await, image_for(&crane));
    let image = format!("localhost:{}/a/b:v1", registry.address().port());
    let push = format!("push {} {image}", layout.path().display());
    crane.refused(&push).await;
    let ca = authority.write(&crane.home().join("ca.crt"));
    let crane = crane.environment("SSL_CERT_FILE", ca.display());
    crane.run(&push).await;
    assert_eq!(crane.run(&format!("digest {image}")).await.trim(), layout.digest("v1"));
}

async fn with_regctl(shape: Shape) {
    let Some(regctl) = Program::find("regctl") else { return };
    let settings = regctl.home().join("regctl.json");
    let regctl = regctl.environment("REGCTL_CONFIG", settings.display());
    let authority = Authority::new();
    let ca = authority.write(&regctl.home().join("ca.crt"));
    let identity = authority.issue(regctl.home(), "me");
    let (plain, both) = (authority.registry(shape).await, authority.registry_for(shape, &identity).await);
    let text = |file: &Path| fs::read_to_string(file).expect("a certificate");
    // The command line takes no files but their text.
    let trusting = json!({"tls": "enabled", "regcert": text(&ca)});
    let known =
        json!({"tls": "enabled", "regcert": text(&ca), "clientCert": text(&identity.certificate), "clientKey": text(&identity.key)});
    let layout = image_for(&regctl);
    for (registry, host) in [(&plain, &trusting), (&both, &known)] {
        let (address, image) = (registry.address().to_string(), format!("{}/a/b:v1", registry.address()));
        fs::write(&settings, json!({"hosts": {address: host}}).to_string()).expect("the settings");
        regctl.run(&format!("image copy ocidir://source:v1 {image}")).await;
        assert_eq!(regctl.run(&format!("image digest {image}")).await.trim(), layout.digest("v1"));
    }
    let address = both.address().to_string();
    fs::write(&settings, json!({"hosts": {address: trusting}}).to_string()).expect("the settings");
    regctl.refused(&format!("image digest {}/a/b:v1", both.address())).await;
}

async fn with_buildah(shape: Shape) {
    with_store(shape, buildah::buildah().await).await;
}

async fn with_podman(shape: Shape) {
    with_store(shape, buildah::podman().await).await;
}

async fn with_store(shape: Shape, client: Option<Buildah>) {
    let Some(client) = client else { return };
    let home = TempDir::new().expect("a directory");
    let authority = Authority::new();
    let identity = authority.issue(home.path(), "me");
    let (plain, both) = (authority.registry(shape).await, authority.registry_for(shape, &identity).await);
    let (anonymous, known) = (certificates(home.path(), &authority, None), certificates(home.path(), &authority, Some(&identity)));
    let built = client.id("built").await;
    for (registry, certificates) in [(&plain, &anonymous), (&both, &known)] {
        let image = format!("{}/a/b:v1", registry.address());
        let push = |certificates: &str| format!("push -q {certificates} --format oci built docker://{image}");
        client.refused(&push("")).await;
        client.run(&push(&format!("--cert-dir {certificates}"))).await;
        client.run(&format!("pull -q --cert-dir {certificates} docker://{image}")).await;
        assert_eq!(client.id(&image).await, built);
    }
    // What is here already would not be asked for.
    client.run("rmi -a -f").await;
    client.refused(&format!("pull -q --cert-dir {anonymous} docker://{}/a/b:v1", both.address())).await;
}

async fn with_curl(shape: Shape) {
    let Some(curl) = Program::find("curl") else { return };
    let authority = Authority::new();
    let ca = authority.write(&curl.home().join("ca.crt")).display().to_string();
    let identity = authority.issue(curl.home(), "me");
    let (plain, both) = (authority.registry(shape).await, authority.registry_for(shape, &identity).await);
    let status = async |options: &str, registry: &Served| {
        curl.run(&format!("-s -o body -w %{{http_code}} {options} https://{}/v2/", registry.address())).await
    };
    let shown = format!("--cacert {ca} --cert {} --key {}", identity.certificate.display(), identity.key.display());
    for options in ["--http1.1", "--http2"] {
        assert_eq!(status(&format!("{options} --cacert {ca}"), &plain).await, "200");
        assert_eq!(status(&format!("{options} {shown}"), &both).await, "200");
        assert_eq!(status(&format!("{options} --cacert {ca}"), &both).await, "401");
    }
    curl.refused(&format!("-s https://{}/v2/", plain.address())).await;
    // A certificate that no authority of the registry's has issued does not even get a connection.
    let stranger = Authority::new().issue(curl.home(), "stranger");
    let shown = format!("--cacert {ca} --cert {} --key {}", stranger.certificate.display(), stranger.key.display());
    curl.refused(&format!("-s {shown} https://{}/v2/", both.address())).await;
}

in_each_shape!(skopeo_trusts_our_authority_and_shows_its_certificate, with_skopeo);
in_each_shape!(oras_trusts_our_authority_and_shows_its_certificate, with_oras);
in_each_shape!(crane_trusts_our_authority, with_crane);
in_each_shape!(regctl_trusts_our_authority_and_shows_its_certificate, with_regctl);
in_each_shape!(buildah_trusts_our_authority_and_shows_its_certificate, with_buildah);
in_each_shape!(podman_trusts_our_authority_and_shows_its_certificate, with_podman);
in_each_shape!(curl_trusts_our_authority_and_shows_its_certificate, with_curl);
