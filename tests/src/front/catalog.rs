//! The list of repositories, of which a test is to see its own only: they follow each other, so that a page begins and ends among them.

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::exchange::{Body, Exchange, retargeted, told, whole};

/// A page of the list.
struct Page {
    response: http::response::Parts,
    names: Vec<String>,
}

impl Exchange {
    /// A page of the test's own repositories.
    pub(super) async fn catalog(&self, request: Request<Incoming>) -> Response<Body> {
        let prefix = self.names.prefix().unwrap_or_default();
        let query = beneath(request.uri().query().unwrap_or_default(), &prefix);
        let page = match self.page(&request, &query).await {
            Ok(page) => page,
            Err(response) => return response,
        };
        let mut head = page.response;
        let own: Vec<&str> = page.names.iter().filter_map(|name| name.strip_prefix(&prefix)).collect();
        if own.len() < page.names.len() || !self.goes_on(&request, page.names.last(), &prefix).await {
            head.headers.remove(header::LINK);
        }
        let link = head.headers.get(header::LINK).and_then(|link| link.to_str().ok()).map(|link| self.names.inward(&unescaped(link)));
        if let Some(link) = link {
            head.headers.insert(header::LINK, link.parse().expect("a header's value"));
        }
        let body = json!({"repositories": own}).to_string();
        head.headers.insert(header::CONTENT_LENGTH, body.len().into());
        Response::from_parts(head, if request.method() == Method::HEAD { whole(String::new()) } else { whole(body) })
    }

    /// A page as the gateway has it; its answer as it is where that is no list.
    async fn page(&self, request: &Request<Incoming>, query: &str) -> Result<Page, Response<Body>> {
        let mut asked = Request::new(Empty::<Bytes>::new());
        *asked.method_mut() = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
        *asked.headers_mut() = request.headers().clone();
        *asked.version_mut() = request.version();
        *asked.uri_mut() = retargeted(request.uri(), &format!("/v2/_catalog?{query}"));
        let gone = || told(http::StatusCode::BAD_GATEWAY, "no gateway is there, or it went away");
        let response = self.send(asked).await.ok_or_else(gone)?;
        if response.status() != http::StatusCode::OK {
            return Err(response);
        }
        let (response, body) = response.into_parts();
        let body = body.collect().await.map_err(|_| gone())?.to_bytes();
        let list: Value = serde_json::from_slice(&body).map_err(|_| told(http::StatusCode::BAD_GATEWAY, "the catalog is no JSON"))?;
        let names = list["repositories"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Page { response, names })
    }

    /// Whether a repository of the test follows on `last`.
    async fn goes_on(&self, request: &Request<Incoming>, last: Option<&String>, prefix: &str) -> bool {
        let Some(last) = last else { return false };
        let next = self.page(request, &format!("n=1&last={last}")).await;
        next.is_ok_and(|page| page.names.iter().any(|name| name.starts_with(prefix)))
    }
}

/// A query that asks for what follows on the same name beneath `prefix`, and for nothing before it.
fn beneath(query: &str, prefix: &str) -> String {
    let mut pairs: Vec<String> = query.split('&').filter(|pair| !pair.is_empty()).map(str::to_owned).collect();
    let mut starts = false;
    for pair in &mut pairs {
        if let Some(last) = pair.strip_prefix("last=") {
            (*pair, starts) = (format!("last={prefix}{last}"), true);
        }
    }
    if !starts {
        // The name itself is no repository, and comes before all that are beneath it.
        pairs.push(format!("last={}", prefix.trim_end_matches('/')));
    }
    pairs.join("&")
}

fn unescaped(link: &str) -> String {
    link.replace("%2F", "/").replace("%2f", "/")
}
