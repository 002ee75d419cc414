//! One request: awaited it gives the whole reply, or it can be sent and its body streamed.

use std::{future::IntoFuture, io, pin::Pin};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::{HeaderValue, Method, Request, Response, header::HeaderName};
use http_body_util::{BodyExt, Full, StreamBody};
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
    request: Request<Content>,
}

/// What a request carries.
enum Content {
    /// All of it is here, and can be sent again.
    Whole(Bytes),
    /// It comes while it is sent.
    Stream(Body),
}

impl<'a> Call<'a> {
    pub(super) fn new(client: &'a Client, method: Method, path: &str) -> Self {
        let url = if path.starts_with('/') { format!("{}{path}", client.base()) } else { path.to_owned() };
        let request = Request::builder().method(method).uri(url).body(Content::Whole(Bytes::new()));
        Self { client, request: request.expect("a request") }
    }

    /// Adds a header.
    pub fn header(mut self, name: impl TryInto<HeaderName, Error: Into<http::Error>>, value: &str) -> Self {
        let name = name.try_into().map_err(Into::into).expect("a header's name");
        self.request.headers_mut().append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header's value"));
        self
    }

    /// Shows a name and a password.
    pub fn basic(self, user: &str, password: &str) -> Self {
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        self.header("authorization", &format!("Basic {encoded}"))
    }

    /// Sends `bytes`, with their length.
    pub fn body(mut self, bytes: impl Into<Bytes>) -> Self {
        *self.request.body_mut() = Content::Whole(bytes.into());
        self
    }

    /// Sends pieces as they come, without a length (chunked); an error among them breaks the connection.
    pub fn stream<S>(mut self, pieces: S) -> Self
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        *self.request.body_mut() = Content::Stream(BodyExt::boxed_unsync(StreamBody::new(pieces.map(|piece| piece.map(Frame::data)))));
        self
    }

    /// Sends the request; the reply's head is here, its body still comes.
    pub async fn start(self) -> Result<Response<Incoming>, Broken> {
        let what = format!("{} {}", self.request.method(), self.request.uri());
        let request = self.request.map(|content| match content {
            Content::Whole(bytes) => Full::new(bytes).map_err(|never| match never {}).boxed_unsync(),
            Content::Stream(body) => body,
        });
        self.client.http.request(request).await.map_err(|error| broken(&what, &error))
    }

    /// Sends the request and reads the whole reply. A patient client sends it again if that may be done and the registry asks for it.
    pub async fn try_send(mut self) -> Result<Reply, Broken> {
        let patience = self.client.patience();
        loop {
            let next = self.again();
            let (head, body) = self.start().await?.into_parts();
            let body = body.collect().await.map_err(|error| broken("read the body", &error))?.to_bytes();
            let reply = Reply::new(head, body);
            let Some(next) = next else { return Ok(reply) };
            if !patience.asks_for_another(&reply).await {
                return Ok(reply);
            }
            self = next;
        }
    }

    /// The same request once more, if twice is as good as once: whatever reads a repository, manifests, and the beginning of an upload. Whether
    /// the registry is there at all, and who may come in, is asked once.
    fn again(&self) -> Option<Self> {
        let Content::Whole(bytes) = self.request.body() else { return None };
        let path = self.request.uri().path();
        let may_be_repeated = match *self.request.method() {
            Method::GET | Method::HEAD => path.starts_with("/v2/") && path != "/v2/",
            Method::PUT => path.contains("/manifests/"),
            Method::POST => path.ends_with("/blobs/uploads/"),
            _ => false,
        };
        let (mut request, content) = (Request::new(()), Content::Whole(bytes.clone()));
        (*request.method_mut(), *request.uri_mut()) = (self.request.method().clone(), self.request.uri().clone());
        *request.headers_mut() = self.request.headers().clone();
        may_be_repeated.then(|| Self { client: self.client, request: request.map(|()| content) })
    }
}

impl<'a> IntoFuture for Call<'a> {
    type Output = Reply;
    type IntoFuture = Pin<Box<dyn Future<Output = Reply> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.try_send().await.unwrap_or_else(|broken| panic!("{broken}")) })
    }
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
