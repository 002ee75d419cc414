//! A client that hides nothing of the wire: it follows no redirect, adds no header and retries no failure, unless it is asked to be patient.

mod call;
mod connect;
mod registry;
mod reply;
mod retry;

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http_body_util::combinators::UnsyncBoxBody;
use hyper_util::{client::legacy, rt::TokioExecutor};

use self::connect::Connector;

pub use self::{call::Call, connect::Trust, reply::Reply};

/// The body of a request.
type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// A client of one registry. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    base: Arc<str>,
    http: legacy::Client<Connector, Body>,
    patient: bool,
}

impl Client {
    /// A client of the registry at `base`, like `http://127.0.0.1:8080`, speaking HTTP/1.1.
    pub fn new(base: &str) -> Self {
        Self::build(base, Connector::plain(), false)
    }

    /// A client that speaks HTTP/2 without TLS.
    pub fn http2(base: &str) -> Self {
        Self::build(base, Connector::plain(), true)
    }

    /// A client of the registry at `base`, an `https://` address, that trusts and shows what `trust` says.
    pub fn https(base: &str, trust: &Trust) -> Self {
        Self::build(base, Connector::tls(trust), trust.http2)
    }

    fn build(base: &str, connector: Connector, http2: bool) -> Self {
        let http = legacy::Client::builder(TokioExecutor::new()).retry_canceled_requests(false).http2_only(http2).build(connector);
        Self { base: base.into(), http, patient: false }
    }

    /// Where it sends requests.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A request to be sent: `path` begins with a slash, or is a whole URL.
    pub fn request(&self, method: Method, path: &str) -> Call<'_> {
        Call::new(self, method, path)
    }

    /// A GET.
    pub fn get(&self, path: &str) -> Call<'_> {
        self.request(Method::GET, path)
    }

    /// A HEAD.
    pub fn head(&self, path: &str) -> Call<'_> {
        self.request(Method::HEAD, path)
    }

    /// A POST.
    pub fn post(&self, path: &str) -> Call<'_> {
        self.request(Method::POST, path)
    }

    /// A PUT.
    pub fn put(&self, path: &str) -> Call<'_> {
        self.request(Method::PUT, path)
    }

    /// A PATCH.
    pub fn patch(&self, path: &str) -> Call<'_> {
        self.request(Method::PATCH, path)
    }

    /// A DELETE.
    pub fn delete(&self, path: &str) -> Call<'_> {
        self.request(Method::DELETE, path)
    }
}
