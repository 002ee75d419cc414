//! One request on its way to a gateway, and its answer on the way back; bodies stream in both directions.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{body::Body as HttpBody, body::Incoming, client::conn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::{Names, gateways::Gateways};

/// The body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// What every request needs.
pub(super) struct Exchange {
    pub(super) gateways: Arc<Gateways>,
    pub(super) names: Names,
}

impl Exchange {
    /// Has a gateway answer a request.
    pub(super) async fn answer(&self, mut request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
        if self.names.hides_others_in(&path) {
            return self.catalog(request).await;
        }
        *request.uri_mut() = retargeted(request.uri(), &self.names.outward(&path));
        let Some(mut response) = self.send(request).await else {
            return told(StatusCode::BAD_GATEWAY, "no gateway is there, or it went away");
        };
        self.rename_headers(response.headers_mut());
        if self.names.stand_in(&path, response.status(), response.headers()) { self.rename_body(response).await } else { response }
    }

    /// The answer of the next gateway that takes a connection; nothing if none does, or it breaks the connection.
    pub(super) async fn send<B>(&self, mut request: Request<B>) -> Option<Response<Body>>
    where
        B: HttpBody<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
    {
        let stream = self.gateways.connect().await?;
        drop_connection_headers(request.headers_mut());
        let mut response =
            if request.version() == Version::HTTP_2 { over_http2(stream, request).await } else { over_http1(stream, request).await }?;
        drop_connection_headers(response.headers_mut());
        Some(response)
    }

    fn rename_headers(&self, headers: &mut HeaderMap) {
        for name in [header::LOCATION, header::LINK] {
            if let Some(value) = headers.get_mut(name) {
                let renamed = self.names.inward(value.to_str().expect("a readable header"));
                *value = HeaderValue::try_from(renamed).expect("a header's value");
            }
        }
    }

    async fn rename_body(&self, response: Response<Body>) -> Response<Body> {
        let (mut head, body) = response.into_parts();
        let Ok(body) = body.collect().await else { return told(StatusCode::BAD_GATEWAY, "the gateway broke off") };
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        let renamed = self.names.inward(&text);
        if renamed.len() != text.len() {
            head.headers.insert(header::CONTENT_LENGTH, renamed.len().into());
        }
        Response::from_parts(head, whole(renamed))
    }
}

/// The same place of the same host under another path.
pub(super) fn retargeted(uri: &Uri, path: &str) -> Uri {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = path.parse().ok();
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}

/// A whole body.
pub(super) fn whole(text: String) -> Body {
    Full::from(text).map_err(|never| match never {}).boxed_unsync()
}

/// An answer of the front's own.
pub(super) fn told(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(whole(format!("front: {text}")));
    *response.status_mut() = status;
    response
}

async fn over_http1<B>(stream: TcpStream, mut request: Request<B>) -> Option<Response<Body>>
where
    B: HttpBody<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    *request.version_mut() = Version::HTTP_11;
    let (mut sender, connection) = conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await.ok()?;
    Some(response.map(BodyExt::boxed_unsync))
}

async fn over_http2<B>(stream: TcpStream, request: Request<B>) -> Option<Response<Body>>
where
    B: HttpBody<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
{
    let (mut sender, connection) = conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await.ok()?;
    Some(response.map(BodyExt::boxed_unsync))
}

/// What is said to the next hop alone.
fn drop_connection_headers(headers: &mut HeaderMap) {
    for name in ["connection", "keep-alive", "proxy-connection"] {
        headers.remove(name);
    }
}
