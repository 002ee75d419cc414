//! The HTTP client below the SDK: HTTP/1.1 over pooled connections, bounded by progress instead of duration, every request counted.
//!
//! The SDK's own client can neither take a certificate unchecked nor tell a slow upload from a stalled one.

mod body;
mod progress;
mod tls;

use std::{sync::Arc, time::Duration};

use aws_smithy_runtime_api::{
    client::{
        connection::{CaptureSmithyConnection, ConnectionMetadata},
        http::{HttpClient, HttpConnector as Connector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::Request,
};
use aws_smithy_types::body::SdkBody;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{DATE, USER_AGENT},
};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{
        Client,
        connect::{CaptureConnection, HttpConnector, capture_connection},
    },
    rt::{TokioExecutor, TokioTimer},
};
use zot_aws::Clock;

use crate::calls::Counters;
use body::{Received, Sent};
use progress::Progress;
pub(crate) use tls::Trust;

/// How long a connection that nobody uses is kept: less than S3 keeps it, so that requests seldom meet a closing one.
const IDLE: Duration = Duration::from_secs(15);

/// The most connections kept while nobody uses them.
const IDLE_CONNECTIONS_MAX: usize = 64;

/// The most that is read at a time, in bytes. Up to three of these wait where a reader does not take what it asked for: one that was handed on, one
/// behind it, and one that the connection has read ahead.
const BUFFER_BYTES_MAX: usize = 128 << 10;

/// How many times as long S3 may be silent while it puts an object together: some servers read all parts before they answer.
const COMPLETION_FACTOR: u32 = 12;

/// How patient the client is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Until a connection stands.
    pub(crate) connect: Duration,
    /// Without a byte sent or received.
    pub(crate) stall: Duration,
}

/// A client of HTTP; a clone shares its connections.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Sent>,
    stall: Duration,
    user_agent: Option<HeaderValue>,
    counters: Arc<Counters>,
    /// What requests are signed with.
    pub(crate) clock: Clock,
}

impl Http {
    pub(crate) fn new(trust: Trust, patience: Patience, user_agent: Option<HeaderValue>, counters: Arc<Counters>) -> std::io::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(patience.connect));
        tcp.enforce_http(false);
        let tls = tls::configuration(trust)?;
        let connector = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).pool_max_idle_per_host(IDLE_CONNECTIONS_MAX);
        builder.http1_max_buf_size(BUFFER_BYTES_MAX);
        Ok(Self { client: builder.build(connector), stall: patience.stall, user_agent, counters, clock: Clock::of("S3") })
    }

    fn prepare(&self, request: HttpRequest, progress: &Progress) -> Result<http::Request<Sent>, ConnectorError> {
        let request: Request<SdkBody> = request;
        let mut request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
        self.counters.count(&request);
        if let Some(name) = &self.user_agent {
            request.headers_mut().insert(USER_AGENT, name.clone());
        }
        Ok(request.map(|body| Sent::new(body, progress.clone())))
    }

    async fn exchange(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let completes = request.method() == "POST" && request.uri().contains("uploadId=");
        let signed = self.clock.ahead_seconds();
        let progress = Progress::new(if completes { self.stall * COMPLETION_FACTOR } else { self.stall });
        let mut request = self.prepare(request, &progress)?;
        let capture = capture_connection(&mut request);
        if let Some(connection) = request.extensions().get::<CaptureSmithyConnection>() {
            // The SDK does not use a connection again on which something went wrong.
            connection.set_connection_retriever(move || Some(metadata(&capture)));
        }
        let response = progress.watch(self.client.request(request)).await.map_err(|stalled| ConnectorError::timeout(stalled.into()))?;
        // Whatever goes wrong below HTTP may go well on another connection.
        let response = response.map_err(|error| ConnectorError::io(error.into()))?;
        if response.status() == StatusCode::FORBIDDEN && self.clock.put_right(date(response.headers()), signed) {
            return Err(ConnectorError::io("the request was signed with a time that is not that of S3".into()));
        }
        let response = response.map(|body| SdkBody::from_body_1_x(Received::new(body, self.stall)));
        HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
    }
}

fn date(headers: &HeaderMap) -> &str {
    headers.get(DATE).and_then(|date| date.to_str().ok()).unwrap_or_default()
}

fn metadata(capture: &CaptureConnection) -> ConnectionMetadata {
    let capture = capture.clone();
    let poison = move || {
        if let Some(connection) = &*capture.connection_metadata() {
            connection.poison();
        }
    };
    ConnectionMetadata::builder().proxied(false).poison_fn(poison).build()
}

impl Connector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().exchange(request))
    }
}

impl HttpClient for Http {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
