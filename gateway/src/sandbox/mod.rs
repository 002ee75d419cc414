//! A real server on a port of its own over a registry in memory, and a small client: what this crate's tests run in.

mod held;
mod recording;
mod reply;
mod scripted;
pub(crate) mod wire;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use axum::{
    body::Body,
    http::{Method, Request, Response, request::Builder},
};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zot_auth::{Access, rate::RateLimits};
use zot_config::http::RateLimit;
use zot_contract::{MemoryRegistry, Registry};
use zot_oci::Digest;
use zot_runtime::telemetry::AccessLog;

pub(crate) use self::{
    recording::{Answers, Recording},
    reply::Reply,
    scripted::{Fault, Scripted},
};
use crate::{
    http::{Gateway, Health, Logs, Opened, Options},
    server::{Drained, Server, ServerOptions},
};

/// The longest that a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How a sandbox is set up.
pub(crate) struct Setup {
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) access: Access,
    pub(crate) options: Options,
    pub(crate) server: ServerOptions,
    pub(crate) logs: Logs,
    pub(crate) rate: Option<RateLimit>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            registry: Arc::new(MemoryRegistry::default()),
            access: Access::default(),
            options: Options::default(),
            server: ServerOptions::default(),
            logs: Logs { access: AccessLog::disabled(), audit: None },
            rate: None,
        }
    }
}

/// A server under test, and a client of it.
pub(crate) struct Sandbox {
    pub(crate) address: SocketAddr,
    pub(crate) gateway: Arc<Gateway>,
    client: Client<HttpConnector, Body>,
    stop: CancellationToken,
    served: JoinHandle<Drained>,
}

impl Sandbox {
    pub(crate) async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    pub(crate) async fn over(registry: impl Registry + 'static) -> Self {
        Self::with(Setup { registry: Arc::new(registry), ..Setup::default() }).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let sandbox = Self::starting(setup.options, setup.logs, &setup.server).await;
        sandbox.gateway.open(Opened {
            registry: setup.registry,
            access: ArcSwap::from_pointee(setup.access),
            rate: setup.rate.map(|rate| Arc::new(RateLimits::new(&rate, None))),
            claims: None,
        });
        sandbox
    }

    /// A server that listens and is not open yet.
    pub(crate) async fn starting(options: Options, logs: Logs, server: &ServerOptions) -> Self {
        let gateway = Arc::new(Gateway::new(options, Health::new(), logs));
        let server = Server::bind("127.0.0.1:0", None, Arc::clone(&gateway), server).await.unwrap();
        let stop = CancellationToken::new();
        Self {
            address: server.address(),
            gateway,
            client: Client::builder(TokioExecutor::new()).build_http(),
            served: tokio::spawn(server.serve(stop.clone())),
            stop,
        }
    }

    /// The same, but its client speaks HTTP/2 from the first byte.
    pub(crate) fn over_http2(mut self) -> Self {
        self.client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        self
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> Builder {
        let method: Method = method.parse().unwrap();
        Request::builder().method(method).uri(format!("http://{}{path}", self.address))
    }

    /// Sends a request and leaves the response's body where it is.
    pub(crate) async fn respond(&self, request: Request<Body>) -> Response<Incoming> {
        tokio::time::timeout(PATIENCE, self.client.request(request)).await.unwrap().unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let (head, body) = self.respond(request).await.into_parts();
        let body = tokio::time::timeout(PATIENCE, body.collect()).await.unwrap().unwrap();
        Reply::new(head, body.to_bytes())
    }

    pub(crate) async fn call(&self, method: &str, path: &str) -> Reply {
        self.send(self.request(method, path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call("GET", path).await
    }

    pub(crate) async fn get_with(&self, path: &str, header: &str, value: &str) -> Reply {
        self.send(self.request("GET", path).header(header, value).body(Body::empty()).unwrap()).await
    }

    /// Pushes a blob in one request.
    pub(crate) async fn push_blob(&self, name: &str, content: &'static str) -> Digest {
        let digest = Digest::sha256(content.as_bytes());
        let path = format!("/v2/{name}/blobs/uploads/?digest={digest}");
        let reply = self.send(self.request("POST", &path).body(content.into()).unwrap()).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        digest
    }

    /// Pushes a manifest as an OCI image manifest.
    pub(crate) async fn push_manifest(&self, name: &str, reference: &str, content: &str) -> Reply {
        let request = self.request("PUT", &format!("/v2/{name}/manifests/{reference}"));
        let request = request.header("content-type", "application/vnd.oci.image.manifest.v1+json");
        self.send(request.body(content.to_owned().into()).unwrap()).await
    }

    /// Pushes a small image under a tag, and returns its manifest.
    pub(crate) async fn push_image(&self, name: &str, tag: &str) -> String {
        let config = self.push_blob(name, "{}").await;
        let manifest = image(&config, "");
        let reply = self.push_manifest(name, tag, &manifest).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        manifest
    }

    /// Opens an upload and returns its location.
    pub(crate) async fn open_upload(&self, name: &str) -> String {
        let reply = self.call("POST", &format!("/v2/{name}/blobs/uploads/")).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        reply.header("location").to_owned()
    }

    /// Tells the server to stop, without waiting.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Stops the server and tells how it ended.
    pub(crate) async fn stopped(self) -> Drained {
        self.stop.cancel();
        drop(self.client);
        tokio::time::timeout(PATIENCE, self.served).await.unwrap().unwrap()
    }
}

/// An image manifest with a config of two bytes, no layers, and more `fields`.
pub(crate) fn image(config: &Digest, fields: &str) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":2}},"layers":[]{fields}}}"#
    )
}
