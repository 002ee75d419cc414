//! `zot ready`: what supervisors learn that can only run programs.

use zot_tests::{Sandbox, sandbox};

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

#[test]
fn a_file_that_cannot_be_used_is_a_failure() {
    let answer = sandbox::run(&["ready", "/nowhere/config.json"]);
    assert_eq!(answer.code, Some(1));
    assert!(answer.stderr.contains("/nowhere/config.json"), "{answer:?}");
}
