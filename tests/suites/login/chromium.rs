//! A login in a real browser.

use std::process::Command;

use zot_services::skip::find_program;
use zot_tests::{Sandbox, skip::skip};

use super::{OpenIdProvider, auth};

const TEST: &str = "login::chromium::a_real_browser_is_led_to_the_provider_with_a_challenge";

/// Chromium follows the registry's redirect and shows the provider's form: what it was sent with is what the provider accepts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_browser_is_led_to_the_provider_with_a_challenge() {
    let Some(chromium) = find_program("chromium") else { return skip(TEST, "chromium is not installed") };
    if let Err(reason) = OpenIdProvider::available() {
        return skip(TEST, &reason);
    }
    let mut provider = OpenIdProvider::prepare("http://127.0.0.1:1/zot/auth/callback/oidc");
    provider.spawn().await;
    let sandbox =
        Sandbox::builder().set("/http/externalUrl", "http://127.0.0.1:1").set("/http/auth", auth(&provider.issuer())).start().await;
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(chromium);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]);
    command.arg(format!("--user-data-dir={}", home.path().display())).arg("--dump-dom");
    command.arg(format!("{}/zot/auth/login?provider=oidc", sandbox.url()));
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let page = String::from_utf8_lossy(&output.stdout);
    assert!(page.contains("name=\"login\"") && page.contains("name=\"password\""), "{page}\n{}", String::from_utf8_lossy(&output.stderr));
}
