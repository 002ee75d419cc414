//! Logging in in the browser at a real OpenID provider: in both shapes, where a login begins on one gateway and ends on another.

mod chromium;
mod devtools;
mod redis_lost;

use serde_json::{Value, json};
use zot_services::{OpenIdProvider, Redis, oidc::CLIENT_SECRET};
use zot_tests::{
    Client, Cluster, Sandbox,
    browser::{Browser, LOGIN, LOGOUT, REGISTRY, auth, callback},
    skip::skip,
};

/// Who is in `devs` may read what is the team's.
fn rules() -> Value {
    json!({"repositories": {"team/**": {"policies": [{"groups": ["devs"], "actions": ["read"]}]}, "**": {"defaultPolicy": ["read"]}}})
}

/// A registry, as two clients of it see it that in a cluster are at different gateways.
struct Registry {
    _provider: OpenIdProvider,
    one: Client,
    other: Client,
    sandbox: Option<Sandbox>,
    _cluster: Option<Cluster>,
    redis: Option<Redis>,
}

impl Registry {
    /// Whether it can be had here; says that the test is skipped otherwise.
    fn available(test: &str) -> bool {
        let available = OpenIdProvider::available().and_then(|()| Redis::available());
        available.inspect_err(|reason| skip(&format!("login::{test}"), reason)).is_ok()
    }

    fn provider() -> OpenIdProvider {
        OpenIdProvider::prepare(&callback())
    }

    async fn all_in_one() -> Self {
        let mut provider = Self::provider();
        provider.spawn().await;
        let sandbox = Sandbox::builder().set("/http/externalUrl", REGISTRY).set("/http/auth", auth(&provider.issuer()));
        let sandbox = sandbox.set("/http/accessControl", rules()).start().await;
        Self { _provider: provider, one: sandbox.client(), other: sandbox.client(), sandbox: Some(sandbox), _cluster: None, redis: None }
    }

    async fn cluster() -> Self {
        let mut provider = Self::provider();
        let (redis, ()) = tokio::join!(Redis::start(), provider.spawn());
        let cluster = Cluster::builder().set("/http/externalUrl", REGISTRY).set("/http/auth", auth(&provider.issuer()));
        let cluster = cluster.set("/cluster/redis", json!({"url": redis.url()})).set("/http/accessControl", rules()).start().await;
        let [one, other] = [0, 1].map(|gateway| cluster.gateways()[gateway].client());
        Self { _provider: provider, one, other, sandbox: None, _cluster: Some(cluster), redis: Some(redis) }
    }
}

/// The same test against a registry of each shape.
macro_rules! in_each_shape {
    ($name:ident, $test:expr) => {
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn all_in_one() {
                if Registry::available(concat!(stringify!($name), "::all_in_one")) {
                    let test: fn(Registry) -> _ = $test;
                    test(Registry::all_in_one().await).await;
                }
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn cluster() {
                if Registry::available(concat!(stringify!($name), "::cluster")) {
                    let test: fn(Registry) -> _ = $test;
                    test(Registry::cluster().await).await;
                }
            }
        }
    };
}

in_each_shape!(a_login_begins_on_one_gateway_and_ends_on_another, |registry| async move {
    // All of it: what the test does not use runs as long as it does.
    let registry = registry;
    let mut browser = Browser::default();
    browser.log_in([&registry.one, &registry.other], "alice:devs").await;
    assert_eq!(browser.cookie("user"), Some("alice@example.org"));
    let before = browser.cookie("session").unwrap().to_owned();
    for gateway in [&registry.one, &registry.other] {
        browser.ask(gateway, "GET", "/v2/", true).await.expect(200);
        browser.clone().ask(gateway, "GET", "/v2/", false).await.expect_error(401, "UNAUTHORIZED");
        Browser::default().ask(gateway, "GET", "/v2/", true).await.expect_error(401, "UNAUTHORIZED");
    }

    // Logging in again makes another session, and ends this one.
    let old = browser.clone();
    browser.forget_provider();
    browser.log_in([&registry.one, &registry.other], "alice").await;
    assert_ne!(browser.cookie("session").unwrap(), before);
    assert!(!old.clone().log_out(&registry.one).await, "the session before the login has ended");

    // Another gateway ends it for all.
    let copy = browser.clone();
    assert!(browser.log_out(&registry.one).await);
    assert!(!copy.clone().log_out(&registry.other).await);
    assert_eq!((browser.cookie("session"), browser.cookie("user")), (None, None));
    copy.clone().ask(&registry.one, "GET", "/v2/", true).await.expect_error(401, "UNAUTHORIZED");
});

in_each_shape!(logging_out_everywhere_ends_the_sessions_of_all_browsers, |registry| async move {
    // All of it: what the test does not use runs as long as it does.
    let registry = registry;
    let gateways = [&registry.one, &registry.other];
    let [mut one, mut other, mut bob] = [(); 3].map(|()| Browser::default());
    for browser in [&mut one, &mut other] {
        browser.log_in(gateways, "alice").await;
    }
    bob.log_in(gateways, "bob").await;
    for gateway in gateways {
        other.ask(gateway, "GET", "/v2/", true).await.expect(200);
    }
    let everywhere = format!("{LOGOUT}?everywhere=true");
    Browser::default().ask(&registry.one, "POST", &everywhere, true).await.expect_error(401, "UNAUTHORIZED");
    let left = one.clone();
    let reply = one.ask(&registry.one, "POST", &everywhere, true).await.expect(200).json();
    assert!(reply["endSessionUrl"].is_string(), "{reply}");
    assert_eq!((one.cookie("session"), one.cookie("user")), (None, None));

    // At the gateway that was asked at once, at the other one as soon as it looks again.
    for browser in [&left, &other] {
        browser.clone().ask(&registry.one, "GET", "/v2/", true).await.expect_error(401, "UNAUTHORIZED");
    }
    let is_out = async || other.clone().ask(&registry.other, "GET", "/v2/", true).await.status == 401;
    zot_tests::wait::until("the other gateway knows", is_out).await;
    bob.ask(&registry.other, "GET", "/v2/", true).await.expect(200);
    // Whoever logs in again is in at once, at both.
    other.forget_provider();
    other.log_in(gateways, "alice").await;
    for gateway in gateways {
        other.ask(gateway, "GET", "/v2/", true).await.expect(200);
    }
});

in_each_shape!(a_group_that_is_gone_at_the_next_login_grants_nothing, |registry| async move {
    // All of it: what the test does not use runs as long as it does.
    let registry = registry;
    // Who is in `devs` may read it; the others are told that they may not.
    let mut browser = Browser::default();
    browser.log_in([&registry.one, &registry.other], "alice:devs,ops").await;
    browser.ask(&registry.one, "GET", "/v2/team/app/tags/list", true).await.expect_error(404, "NAME_UNKNOWN");
    browser.forget_provider();
    browser.log_in([&registry.one, &registry.other], "alice:ops").await;
    browser.ask(&registry.one, "GET", "/v2/team/app/tags/list", true).await.expect_error(403, "DENIED");
    browser.ask(&registry.other, "GET", "/v2/team/app/tags/list", true).await.expect_error(403, "DENIED");
});

in_each_shape!(what_was_tampered_with_on_the_way_is_no_login, |registry| async move {
    // All of it: what the test does not use runs as long as it does.
    let registry = registry;
    let replaced = |url: &str, name: &str, value: &str| {
        let (before, rest) = url.split_once(&format!("&{name}=")).unwrap();
        let after = rest.find('&').map_or("", |end| &rest[end..]);
        format!("{before}&{name}={value}{after}")
    };
    for (parameter, value) in [("nonce", "another"), ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")] {
        let mut browser = Browser::default();
        let location = browser.begin(&registry.one).await;
        let callback = browser.log_in_at_provider(&replaced(&location, parameter, value), "alice").await;
        let reply = browser.ask(&registry.other, "GET", &callback, false).await.expect(401);
        assert!(reply.text().contains("cannot be believed"), "{parameter}: {}", reply.text());
        assert_eq!(browser.cookie("session"), None);
    }

    let mut browser = Browser::default();
    let location = browser.begin(&registry.one).await;
    let callback = browser.log_in_at_provider(&location, "alice").await;
    for (state, path) in [
        ("of another browser", callback.clone()),
        ("made up", replaced(&callback.replace("?state=", "?x=&state="), "state", &"A".repeat(43))),
    ] {
        let mut stranger = if state == "made up" { browser.clone() } else { Browser::default() };
        let reply = stranger.ask(&registry.other, "GET", &path, false).await;
        assert_eq!((reply.status.as_u16(), stranger.cookie("session")), (401, None), "{state}");
    }
    browser.ask(&registry.other, "GET", &callback, false).await.expect(302);
    let mut again = browser.clone();
    again.ask(&registry.one, "GET", &callback, false).await.expect(401);
});

in_each_shape!(an_address_that_nobody_verified_is_no_name, |registry| async move {
    // All of it: what the test does not use runs as long as it does.
    let registry = registry;
    let mut browser = Browser::default();
    let location = browser.begin(&registry.one).await;
    let callback = browser.log_in_at_provider(&location, "unverified").await;
    let reply = browser.ask(&registry.other, "GET", &callback, false).await.expect(401);
    assert!(reply.text().contains("has not verified the email address"), "{}", reply.text());
    assert_eq!(reply.header("content-type"), "text/html; charset=utf-8");
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_away_stops_logins_only_and_is_asked_again() {
    if !Registry::available("a_provider_that_is_away_stops_logins_only_and_is_asked_again") {
        return;
    }
    let mut provider = Registry::provider();
    let sandbox = Sandbox::builder().set("/http/externalUrl", REGISTRY).set("/http/auth", auth(&provider.issuer())).start().await;
    let client = sandbox.client();
    let mut browser = Browser::default();
    let reply = browser.ask(&client, "GET", LOGIN, false).await.expect(503);
    assert!(reply.text().contains("cannot be reached") && !reply.header("retry-after").is_empty(), "{}", reply.text());
    client.get("/readyz").await.expect(200);
    provider.spawn().await;
    let begun = zot_tests::wait::within(zot_tests::wait::PATIENCE, async || client.get(LOGIN).await.status == 302).await;
    assert!(begun, "the provider is asked again");
    let location = browser.begin(&client).await;
    let callback = browser.log_in_at_provider(&location, "alice").await;
    provider.kill();
    let reply = browser.ask(&client, "GET", &callback, false).await;
    assert_eq!((reply.status.as_u16(), browser.cookie("session")), (503, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_survive_a_restart_of_the_one_process() {
    if !Registry::available("sessions_survive_a_restart_of_the_one_process") {
        return;
    }
    let mut registry = Registry::all_in_one().await;
    let mut browser = Browser::default();
    browser.log_in([&registry.one, &registry.other], "alice").await;
    let mut sandbox = registry.sandbox.take().unwrap();
    sandbox.restart().await;
    assert!(browser.log_out(&sandbox.client()).await);
    let secret = browser.cookie("session").map(str::to_owned);
    assert_eq!(secret, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_goes_on_over_a_changed_configuration_and_sessions_at_rest_are_sealed() {
    if !Registry::available("a_login_goes_on_over_a_changed_configuration_and_sessions_at_rest_are_sealed") {
        return;
    }
    let mut provider = Registry::provider();
    provider.spawn().await;
    let keys = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
    let write = |encrypt: &str| {
        let text = json!({"hashKey": "the same for all processes, 64 characters or so", "encryptKey": encrypt});
        std::fs::write(keys.path(), text.to_string()).unwrap();
    };
    write("0123456789abcdef");
    let with_keys = Sandbox::builder().set("/http/externalUrl", REGISTRY).set("/http/auth", auth(&provider.issuer()));
    let sandbox = with_keys.set("/http/auth/sessionKeysFile", keys.path().to_str().unwrap()).start().await;
    let (client, mut browser) = (sandbox.client(), Browser::default());
    let location = browser.begin(&client).await;
    let callback = browser.log_in_at_provider(&location, "alice").await;

    let reload = async |delay: u64| {
        let mut config: Value = serde_json::from_str(&std::fs::read_to_string(sandbox.config_file()).unwrap()).unwrap();
        config["http"]["auth"]["failDelay"] = json!(delay);
        std::fs::write(sandbox.config_file(), config.to_string()).unwrap();
        let seen = sandbox.logs().text().matches("loaded new configuration settings").count();
        sandbox.signal(zot_tests::sandbox::Signal::HUP);
        let taken_up = async || sandbox.logs().text().matches("loaded new configuration settings").count() > seen;
        zot_tests::wait::until("the file was taken up", taken_up).await;
    };
    reload(1).await;
    browser.ask(&client, "GET", &callback, false).await.expect(302);
    browser.ask(&client, "GET", "/v2/", true).await.expect(200);

    // What is kept of the session says nothing without the key; under another key it is no session.
    let kept: Vec<_> = std::fs::read_dir(sandbox.root().join("_zot/sessions")).unwrap().map(|file| file.unwrap().path()).collect();
    let [session] = &kept[..] else { panic!("{kept:?}") };
    assert!(!std::fs::read(session).unwrap().windows(5).any(|bytes| bytes == b"alice"));
    write("fedcba9876543210fedcba9876543210");
    reload(2).await;
    let is_out = async || browser.clone().ask(&client, "GET", "/v2/", true).await.status == 401;
    zot_tests::wait::until("the session does not open any more", is_out).await;
    browser.forget_provider();
    let location = browser.begin(&client).await;
    let callback = browser.log_in_at_provider(&location, "alice").await;
    browser.ask(&client, "GET", &callback, false).await.expect(302);
    browser.ask(&client, "GET", "/v2/", true).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_forgot_everything_makes_browsers_log_in_again() {
    if !Registry::available("a_redis_that_forgot_everything_makes_browsers_log_in_again") {
        return;
    }
    let mut registry = Registry::cluster().await;
    let mut browser = Browser::default();
    browser.log_in([&registry.one, &registry.other], "alice").await;
    let redis = registry.redis.as_mut().unwrap();
    redis.kill();
    assert_eq!(browser.clone().ask(&registry.one, "GET", "/v2/", true).await.status, 503, "whether there is a session cannot be told");
    registry.one.get("/livez").await.expect(200);
    redis.restart().await;
    let answers = async || browser.clone().ask(&registry.one, "GET", "/v2/", true).await.status != 503;
    assert!(zot_tests::wait::within(zot_tests::wait::PATIENCE, answers).await, "Redis is asked again");
    assert!(!browser.log_out(&registry.one).await, "the session is gone");
    browser.log_in([&registry.one, &registry.other], "alice").await;
    assert!(browser.log_out(&registry.other).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_log_holds_what_a_login_is_made_of() {
    if !Registry::available("no_log_holds_what_a_login_is_made_of") {
        return;
    }
    let mut provider = Registry::provider();
    provider.spawn().await;
    let sandbox =
        Sandbox::builder().set("/http/externalUrl", REGISTRY).set("/http/auth", auth(&provider.issuer())).set("/log/level", "debug");
    let sandbox = sandbox.start().await;
    let (client, mut browser) = (sandbox.client(), Browser::default());
    let location = browser.begin(&client).await;
    let callback = browser.log_in_at_provider(&location, "alice").await;
    browser.ask(&client, "GET", &callback, false).await.expect(302);
    let session = browser.cookie("session").unwrap().to_owned();
    browser.ask(&client, "GET", "/v2/", true).await;
    browser.log_out(&client).await;
    let parameters =
        callback.split(['?', '&']).skip(1).filter(|pair| !pair.starts_with("iss=")).map(|pair| pair.split_once('=').unwrap().1);
    let logs = sandbox.logs();
    for secret in parameters.chain([session.as_str(), CLIENT_SECRET]) {
        assert!(!logs.text().contains(secret), "{secret} is in the log");
    }
}
