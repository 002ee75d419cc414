//! A login in a real browser, from the registry's page to the provider's and back.

use std::time::Duration;

use serde_json::{Value, json};
use zot_services::{Redis, skip::find_program};
use zot_tests::{Cluster, Sandbox, skip::skip, wait};

use super::{OpenIdProvider, auth, devtools::Page, rules};

const TAGS: &str = "/v2/team/app/tags/list";
/// Does what somebody does who is shown a page of the provider: gives a name if there is a place for one, and sends the form, once.
const GO_ON: &str = "(() => {
    const form = document.forms[0];
    if (location.pathname !== '/home' && form && !window.sent) {
        const login = form.elements.namedItem('login');
        if (login) {
            login.value = 'alice:devs';
            form.elements.namedItem('password').value = 'x';
        }
        window.sent = true;
        form.submit();
    }
    return location.href;
})()";

/// The status of a request that the page makes, as the registry's own pages make them. Without their header it would be asked for a password, and
/// Chromium would wait for somebody to type one.
fn status(page: &mut Page, method: &str, path: &str) -> Value {
    page.evaluate(&format!(
        "fetch('{path}', {{method: '{method}', headers: {{'X-ZOT-API-CLIENT': 'zot-ui'}}}}).then(reply => reply.status)"
    ))
}

/// Logs in at one URL of a registry, and looks around there and at the others.
fn log_in(chromium: &std::path::Path, urls: &[String]) {
    let mut page = Page::open(chromium);
    page.visit(&format!("{}/zot/auth/login?provider=oidc&callback_ui=%2Fhome", urls[0]));
    let (home, begun) = (format!("{}/home", urls[0]), std::time::Instant::now());
    let mut place = page.glance(GO_ON);
    while place != home.as_str() {
        assert!(begun.elapsed() < wait::PATIENCE, "the login does not end: {place}");
        std::thread::sleep(Duration::from_millis(50));
        place = page.glance(GO_ON);
    }
    // The number of the session is hidden from pages; who is logged in is not.
    assert_eq!(page.evaluate("document.cookie"), "user=alice@example.org");
    // Cookies are a host's, whatever the port: each gateway gets them.
    for url in urls {
        page.visit(&format!("{url}/home"));
        let there = format!("{url}/home");
        while page.glance("document.readyState + ' ' + location.href") != format!("complete {there}") {
            assert!(begun.elapsed() < 2 * wait::PATIENCE, "{there} is not shown");
            std::thread::sleep(Duration::from_millis(50));
        }
        // She may read what is the team's, of which there is nothing yet.
        assert_eq!(status(&mut page, "GET", TAGS), 404, "{url}");
    }
    assert_eq!(status(&mut page, "POST", "/zot/auth/logout"), 200);
    assert_eq!(page.evaluate("document.cookie"), "");
    assert_eq!(status(&mut page, "GET", TAGS), 401);
}

/// A provider that sends browsers back to the registry at `url`.
async fn provider(url: &str) -> OpenIdProvider {
    OpenIdProvider::start(&format!("{url}/zot/auth/callback/oidc")).await
}

fn available(test: &str) -> Option<std::path::PathBuf> {
    let test = format!("login::chromium::{test}");
    let Some(chromium) = find_program("chromium") else {
        skip(&test, "chromium is not installed");
        return None;
    };
    OpenIdProvider::available().and_then(|()| Redis::available()).inspect_err(|reason| skip(&test, reason)).ok().map(|()| chromium)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_browser_logs_in_at_the_one_process() {
    let Some(chromium) = available("a_real_browser_logs_in_at_the_one_process") else { return };
    let mut sandbox = Sandbox::builder().set("/http/accessControl", rules()).prepare();
    let url = sandbox.url();
    let provider = provider(&url).await;
    sandbox.set("/http/externalUrl", url.as_str());
    sandbox.set("/http/auth", auth(&provider.issuer()));
    sandbox.spawn();
    sandbox.ready().await;
    tokio::task::spawn_blocking(move || log_in(&chromium, &[url])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_browser_logs_in_at_every_gateway_at_once() {
    let Some(chromium) = available("a_real_browser_logs_in_at_every_gateway_at_once") else { return };
    let redis = Redis::start().await;
    let mut cluster = Cluster::builder().set("/cluster/redis", json!({"url": redis.url()})).set("/http/accessControl", rules()).prepare();
    let urls: Vec<String> = cluster.gateways().iter().map(zot_tests::cluster::Member::url).collect();
    let provider = provider(&urls[0]).await;
    cluster.set("/http/externalUrl", urls[0].as_str());
    cluster.set("/http/auth", auth(&provider.issuer()));
    cluster.start().await;
    tokio::task::spawn_blocking(move || log_in(&chromium, &urls)).await.unwrap();
}
