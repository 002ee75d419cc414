//! `zot ready`: what supervisors learn that can only run programs.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use zot_tests::{Sandbox, client::Trust, sandbox};

fn ready(registry: &Sandbox) -> sandbox::Output {
    sandbox::run(&["ready", registry.config_file().to_str().unwrap()])
}

#[tokio::test]
async fn it_succeeds_while_the_registry_serves_and_says_why_not_otherwise() {
    let mut registry = Sandbox::start().await;
    assert_eq!(ready(&registry).code, Some(0));
    registry.terminate().await;
    let answer = ready(&registry);
    assert_eq!(answer.code, Some(1));
    assert!(answer.stderr.starts_with(&format!("not ready: connect to {}: ", registry.address())), "{answer:?}");
    assert_eq!(answer.stdout, "");
}

#[tokio::test]
async fn over_tls_the_certificate_need_not_name_this_host() {
    let mut parameters =
        CertificateParams::new(vec!["registry.example.com".to_owned(), "localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    let builder = Sandbox::builder();
    let [cert, key] = ["server.cert", "server.key"].map(|name| builder.directory().join(name).to_str().unwrap().to_owned());
    std::fs::write(&cert, issuer.pem()).unwrap();
    std::fs::write(&key, issuer.key().serialize_pem()).unwrap();
    let trust = Trust { authority: issuer.pem(), identity: None, http2: false };
    let registry = builder.set("/http/tls/cert", cert).set("/http/tls/key", key).https(trust).start().await;
    let answer = ready(&registry);
    assert_eq!(answer.code, Some(0), "{answer:?}");
}

#[test]
fn a_file_that_cannot_be_used_is_a_failure() {
    let answer = sandbox::run(&["ready", "/nowhere/config.json"]);
    assert_eq!(answer.code, Some(1));
    assert!(answer.stderr.contains("/nowhere/config.json"), "{answer:?}");
}
