//! One request: awaited it gives the whole reply, or it can be sent and its body streamed.

use std::{future::IntoFuture, io, pin::Pin};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::{HeaderValue, Method, Request, Response, header::HeaderName};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};

use super::{Body, Client, Reply};

/// The request never got a whole answer.
#[derive(Debug)]
pub struct Broken(String);

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

/// A request under construction. Await it, or [`Call::try_send`] it where it may break.
#[must_use = "a call does nothing until it is awaited"]
pub struct Call<'a> {
    client: &'a Client,
    request: http::request::Builder,
    body: Body,
}

impl<'a> Call<'a> {
    pub(super) fn new(client: &'a Client, method: Method, path: &str) -> Self {
        let url = if path.starts_with('/') { format!("{}{path}", client.base()) } else { path.to_owned() };
        Self { client, request: Request::builder().method(method).uri(url), body: nothing() }
    }

    /// Adds a header.
    pub fn header(mut self, name: impl TryInto<HeaderName, Error: Into<http::Error>>, value: &str) -> Self {
        self.request = self.request.header(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header's value"));
        self
    }

    /// Shows a name and a password.
    pub fn basic(self, user: &str, password: &str) -> Self {
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        self.header("authorization", &format!("Basic {encoded}"))
    }

    /// Sends `bytes`, with their length.
    pub fn body(mut self, bytes: impl Into<Bytes>) -> Self {
        self.body = Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync();
        self
    }

    /// Sends pieces as they come, without a length (chunked); an error among them breaks the connection.
    pub fn stream<S>(mut self, pieces: S) -> Self
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        self.body = BodyExt::boxed_unsync(StreamBody::new(pieces.map(|piece| piece.map(Frame::data))));
        self
    }

    /// Sends the request; the reply's head is here, its body still comes.
    pub async fn start(self) -> Result<Response<Incoming>, Broken> {
        let request = self.request.body(self.body).expect("a request");
        let what = format!("{} {}", request.method(), request.uri());
        self.client.http.request(request).await.map_err(|error| broken(&what, &error))
    }

    /// Sends the request and reads the whole reply.
    pub async fn try_send(self) -> Result<Reply, Broken> {
        let (head, body) = self.start().await?.into_parts();
        let body = body.collect().await.map_err(|error| broken("read the body", &error))?.to_bytes();
        Ok(Reply::new(head, body))
    }
}

impl<'a> IntoFuture for Call<'a> {
    type Output = Reply;
    type IntoFuture = Pin<Box<dyn Future<Output = Reply> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.try_send().await.unwrap_or_else(|broken| panic!("{broken}")) })
    }
}

fn nothing() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

fn broken(what: &str, error: &dyn std::error::Error) -> Broken {
    let mut text = format!("{what}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    Broken(text)
}
