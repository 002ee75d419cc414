//! A browser without a screen: it keeps cookies by host, follows redirects as far as it is let, and submits the forms of the provider.

use std::collections::BTreeMap;

use zot_tests::{Client, Reply};

/// The host by which the registry is known at the provider; which gateway that is, the test decides.
pub(super) const REGISTRY: &str = "http://registry.test";

/// The most steps of a login at the provider.
const STEPS_MAX: usize = 15;

/// A browser and its cookies.
#[derive(Default, Clone)]
pub(super) struct Browser {
    cookies: BTreeMap<(String, String), String>,
}

impl Browser {
    /// Sends a request to a gateway, as to the registry. `pages` says that it is the registry's own pages that send it.
    pub(super) async fn ask(&mut self, gateway: &Client, method: &str, path: &str, pages: bool) -> Reply {
        let mut call = gateway.request(method.parse().unwrap(), path).header("cookie", &self.sent(REGISTRY));
        if pages {
            call = call.header("x-zot-api-client", "zot-ui");
        }
        let reply = call.await;
        self.keep(REGISTRY, &reply);
        reply
    }

    /// Logs in at the provider under `name`, beginning at the URL that the registry sent the browser to. Returns the path and the query of the
    /// callback it is sent back to.
    pub(super) async fn log_in_at_provider(&mut self, url: &str, name: &str) -> String {
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
    pub(super) fn forget_provider(&mut self) {
        self.cookies.retain(|(site, _), _| site == REGISTRY);
    }

    /// A cookie of the registry.
    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
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
            let (name, value) = pair.split_once('=').unwrap();
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
