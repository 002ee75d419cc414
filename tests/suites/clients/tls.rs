//! Clients over TLS: with an authority of our own, and with certificates on both sides.

use std::{fs, path::Path};

use serde_json::json;

use crate::{
    authority::{Authority, Identity},
    layout::Layout,
    program::Program,
};

/// An image to push, in the program's home.
fn image_for(program: &Program) -> Layout {
    Layout::with_image(program.home().join("source"), "v1")
}

/// A directory with what skopeo needs to talk to a registry.
fn skopeo_certificates(skopeo: &Program, authority: &Authority, identity: Option<&Identity>) -> String {
    let directory = skopeo.home().join(if identity.is_some() { "certificates-both" } else { "certificates" });
    fs::create_dir(&directory).expect("a directory");
    authority.write(&directory.join("ca.crt"));
    if let Some(identity) = identity {
        fs::copy(&identity.certificate, directory.join("client.cert")).expect("the certificate");
        fs::copy(&identity.key, directory.join("client.key")).expect("the key");
    }
    directory.display().to_string()
}

#[tokio::test]
async fn skopeo_trusts_our_authority_and_shows_its_certificate() {
    let Some(skopeo) = Program::find("skopeo") else { return };
    let (authority, layout) = (Authority::new(), image_for(&skopeo));
    let identity = authority.issue(skopeo.home(), "me");
    let (plain, both) = (authority.registry().await, authority.registry_for(&identity).await);
    let (anonymous, known) = (skopeo_certificates(&skopeo, &authority, None), skopeo_certificates(&skopeo, &authority, Some(&identity)));
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

#[tokio::test]
async fn oras_trusts_our_authority_and_shows_its_certificate() {
    let Some(oras) = Program::find("oras") else { return };
    let authority = Authority::new();
    let ca = authority.write(&oras.home().join("ca.crt")).display().to_string();
    let identity = authority.issue(oras.home(), "me");
    let (plain, both) = (authority.registry().await, authority.registry_for(&identity).await);
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

#[tokio::test]
async fn crane_trusts_our_authority() {
    let Some(crane) = Program::find("crane") else { return };
    let authority = Authority::new();
    let (registry, layout) = (authority.registry().await, image_for(&crane));
    let image = format!("localhost:{}/a/b:v1", registry.address().port());
    let push = format!("push {} {image}", layout.path().display());
    crane.refused(&push).await;
    let ca = authority.write(&crane.home().join("ca.crt"));
    let crane = crane.environment("SSL_CERT_FILE", ca.display());
    crane.run(&push).await;
    assert_eq!(crane.run(&format!("digest {image}")).await.trim(), layout.digest("v1"));
}

#[tokio::test]
async fn regctl_trusts_our_authority_and_shows_its_certificate() {
    let Some(regctl) = Program::find("regctl") else { return };
    let settings = regctl.home().join("regctl.json");
    let regctl = regctl.environment("REGCTL_CONFIG", settings.display());
    let authority = Authority::new();
    let ca = authority.write(&regctl.home().join("ca.crt"));
    let identity = authority.issue(regctl.home(), "me");
    let (plain, both) = (authority.registry().await, authority.registry_for(&identity).await);
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
