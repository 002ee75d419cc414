//! A browser without a screen: it keeps cookies by host, follows redirects as far as it is let, and submits the forms of the provider.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use zot_services::oidc::{CLIENT_ID, CLIENT_SECRET};

use crate::{Client, Reply};

/// The host by which the registry is known at the provider; which gateway that is, the test decides.
pub const REGISTRY: &str = "http://registry.test";

/// Where a login begins that ends at `/home`.
pub const LOGIN: &str = "/zot/auth/login?provider=oidc&callback_ui=%2Fhome";

/// Where sessions end.
pub const LOGOUT: &str = "/zot/auth/logout";

/// Where the provider sends browsers back to.
#[must_use]
pub fn callback() -> String {
    format!("{REGISTRY}/zot/auth/callback/oidc")
}

/// What of `http.auth` makes browsers log in at `issuer`.
#[must_use]
pub fn auth(issuer: &str) -> Value {
    json!({"openid": {"providers": {"oidc": {
        "clientid": CLIENT_ID, "clientsecret": CLIENT_SECRET, "issuer": issuer, "scopes": ["openid", "profile", "email", "groups"],
    }}}})
}

/// The most steps of a login at the provider.
const STEPS_MAX: usize = 15;

/// A browser and its cookies.
#[derive(Default, Clone)]
pub struct Browser {
    cookies: BTreeMap<(String, String), String>,
}

impl Browser {
    /// Sends a request to a gateway, as to the registry. `pages` says that it is the registry's own pages that send it.
    pub async fn ask(&mut self, gateway: &Client, method: &str, path: &str, pages: bool) -> Reply {
        let mut call = gateway.request(method.parse().expect("a method"), path).header("cookie", &self.sent(REGISTRY));
        if pages {
            call = call.header("x-zot-api-client", "zot-ui");
        }
        let reply = call.await;
        self.keep(REGISTRY, &reply);
        reply
    }

    /// Begins a login at one gateway, and returns where it is sent.
    pub async fn begin(&mut self, gateway: &Client) -> String {
        let reply = self.ask(gateway, "GET", LOGIN, false).await.expect(302);
        assert_eq!((reply.header("cache-control"), reply.header("referrer-policy")), ("no-store", "no-referrer"));
        reply.location()
    }

    /// Logs in under a name, from one gateway by way of the provider to another.
    pub async fn log_in(&mut self, [one, other]: [&Client; 2], name: &str) {
        let location = self.begin(one).await;
        let callback = self.log_in_at_provider(&location, name).await;
        let reply = self.ask(other, "GET", &callback, false).await.expect(302);
        assert_eq!(reply.location(), "/home");
    }

    /// Whether it has a session: ending one says where to log out at the provider.
    pub async fn log_out(&mut self, gateway: &Client) -> bool {
        let reply = self.ask(gateway, "POST", LOGOUT, true).await.expect(200).json();
        reply["endSessionUrl"].as_str().inspect(|url| assert!(url.contains("post_logout_redirect_uri"), "{url}")).is_some()
    }

    /// Logs in at the provider under `name`, beginning at the URL that the registry sent the browser to. Returns the path and the query of the
    /// callback it is sent back to.
    pub async fn log_in_at_provider(&mut self, url: &str, name: &str) -> String {
        let issuer = host(url);
        let provider = Client::new(&issuer);
        let mut reply = self.visit(&provider, url).await;
        for _ in 0..STEPS_MAX {
            if reply.status.is_redirection() {
                let location = resolved(&issuer, &reply.location());
                if let Some(callback) = location.strip_prefix(REGISTRY) {
                    return callback.to_owned();
                }
                reply = self.visit(&provider, &location).await;
            } else {
                reply = self.submit(&provider, &reply.expect(200).text(), name).await;
            }
        }
        panic!("the login at the provider does not end: {reply:?}");
    }

    /// Forgets what the provider knows the browser by, so that it asks who it is again.
    pub fn forget_provider(&mut self) {
        self.cookies.retain(|(site, _), _| site == REGISTRY);
    }

    /// A cookie of the registry.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(&(REGISTRY.to_owned(), name.to_owned())).map(String::as_str)
    }

    async fn visit(&mut self, provider: &Client, url: &str) -> Reply {
        let reply = provider.get(url).header("cookie", &self.sent(provider.base())).await;
        self.keep(provider.base(), &reply);
        reply
    }

    /// Submits the one form of a page: what is hidden as it is, and the name and any password.
    async fn submit(&mut self, provider: &Client, page: &str, name: &str) -> Reply {
        let action = between(page, "action=\"", "\"").unwrap_or_else(|| panic!("no form in {page}"));
        let prompt = between(page, "name=\"prompt\" value=\"", "\"").unwrap_or_else(|| panic!("no prompt in {page}"));
        let body = format!("prompt={prompt}&login={}&password=x", name.replace(':', "%3A").replace(',', "%2C"));
        let call = provider.post(&resolved(provider.base(), action)).header("cookie", &self.sent(provider.base()));
        let reply = call.header("content-type", "application/x-www-form-urlencoded").body(body).await;
        self.keep(provider.base(), &reply);
        reply
    }

    fn sent(&self, site: &str) -> String {
        let pairs = self.cookies.iter().filter(|((of, _), _)| of == site).map(|((_, name), value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    fn keep(&mut self, site: &str, reply: &Reply) {
        for cookie in reply.all("set-cookie") {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').expect("a cookie");
            let key = (site.to_owned(), name.to_owned());
            if value.is_empty() || attributes.to_ascii_lowercase().contains("expires=thu, 01 jan 1970") {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.to_owned());
            }
        }
    }
}

/// `http://host:port` of a URL.
fn host(url: &str) -> String {
    let end = url.find("://").map(|at| at + 3).and_then(|at| url[at..].find('/').map(|slash| at + slash)).unwrap_or(url.len());
    url[..end].to_owned()
}

fn resolved(base: &str, location: &str) -> String {
    if location.starts_with('/') { format!("{base}{location}") } else { location.to_owned() }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}
