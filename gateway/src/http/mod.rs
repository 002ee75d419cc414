//! The OCI distribution API over any registry: from a request to its response, its log lines and its audit line.

mod auth;
mod call;
mod condition;
mod content_range;
mod cors;
mod dispatch;
mod error;
mod exact_body;
mod fail_delay;
mod forwarded;
mod header;
mod health;
mod oci;
mod opened;
mod options;
mod percent;
mod permit;
mod protect;
mod query;
mod render;
mod report;
mod request_body;
mod request_id;
mod route;
mod vouch;

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header::CONNECTION, header::CONTENT_LENGTH, request::Parts},
    response::Response,
};
use futures::FutureExt as _;
use http_body::Body as _;
use zot_auth::{Access, Identified, Identity, Peer, authn::Asked};
use zot_contract::{Context, RequestId, Subject, TraceParent};
use zot_runtime::telemetry::{AccessLog, AuditLog, chain};

use crate::outlet::Outlet;

use self::{
    call::Call,
    error::Refusal,
    fail_delay::FailDelay,
    permit::{Challenge, Permit},
    protect::protect,
    report::Report,
    request_body::RequestBody,
    request_id::RequestIds,
    route::{Requirement, Route},
};

pub(crate) use self::vouch::internal;

pub use self::{
    cors::Origins,
    health::{Health, Stage},
    opened::Opened,
    options::Options,
    report::Reported,
};

/// Answers requests by asking a registry, once it is open.
pub struct Gateway {
    opened: OnceLock<Opened>,
    fail_delay: FailDelay,
    options: Options,
    health: Health,
    logs: Logs,
    ids: RequestIds,
    panics: AtomicU64,
}

/// Where requests are written down.
pub struct Logs {
    /// One line for every request.
    pub access: AccessLog,
    /// One line for every change and every denial, if wanted.
    pub audit: Option<AuditLog>,
}

impl Gateway {
    /// A gateway of a process that is starting. `health` is what it tells to those who ask, and all that it tells before it is open.
    pub fn new(options: Options, health: Health, logs: Logs) -> Self {
        Self {
            opened: OnceLock::new(),
            fail_delay: FailDelay::new(),
            options,
            health,
            logs,
            ids: RequestIds::default(),
            panics: AtomicU64::new(0),
        }
    }

    /// Answers all requests from now on. What it is opened with first counts.
    pub fn open(&self, opened: Opened) {
        if self.opened.set(opened).is_ok() {
            self.health.enter(Stage::Ready);
        }
    }

    /// What it tells of this process.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// How many requests panicked. Each was answered with 500 and is in the log.
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Lets in from now on whom `access` lets in; requests under way go by what they began with.
    pub fn replace_access(&self, access: Access) {
        if let Some(opened) = self.opened.get() {
            opened.access.store(Arc::new(access));
        }
    }

    /// Answers one request that came from `peer`, on a connection that may have an outlet. It is written down when the response's body has been sent or is dropped.
    pub(crate) async fn respond(self: &Arc<Self>, peer: Arc<Peer>, outlet: Option<Outlet>, request: Request) -> Response<Reported> {
        let (head, body) = request.into_parts();
        let cx = Context::new(Subject::Anonymous, self.ids.of(&head.headers)).traced(trace_parent(&head.headers));
        let head = Arc::new(head);
        let peer = forwarded::client(peer, &head.headers, &self.options.trusted_proxies);
        let mut report = Report::begin(Arc::clone(self), peer.address, cx.request.clone(), Arc::clone(&head));
        let body = RequestBody::new(&head, body, self.options.body_progress);
        let continued = body.continued();
        let request = cx.request.clone();
        let answered = AssertUnwindSafe(self.answer(Way { peer: &peer, outlet }, cx, &head, body, &mut report)).catch_unwind().await;
        let mut response = match answered {
            Ok(Ok(response)) => response,
            Ok(Err(refusal)) => {
                report.refused(&refusal);
                refuse(refusal, &request, &head)
            }
            Err(panic) => refuse(self.panicked(&*panic, &request, &head), &request, &head),
        };
        if head.method == Method::HEAD {
            drop_body(&mut response);
        }
        if continued.is_awaited() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response.headers_mut().insert(header::REQUEST_ID, header::value(request.to_string()));
        protect(response.headers_mut(), head.uri.path(), &peer);
        report.answered(response.status());
        response.map(|body| Reported::new(body, report))
    }

    /// Finds out who asks for what, whether they may, and does it.
    async fn answer(
        &self,
        Way { peer, outlet }: Way<'_>,
        cx: Context,
        head: &Arc<Parts>,
        body: RequestBody,
        report: &mut Report,
    ) -> Result<Response, Refusal> {
        let route = Route::parse(head.uri.path());
        let Some(opened) = self.opened.get() else {
            let of_process = route.ok().and_then(|route| dispatch::of_process(&route, &head.method, &self.health));
            return of_process.ok_or_else(Refusal::starting);
        };
        if let Some(rate) = opened.rate.as_ref().filter(|_| !matches!(route, Ok(Route::Live | Route::Ready | Route::Started))) {
            rate.admit(peer.address.ip(), &head.method).await?;
        }
        let route = route.map_err(|reason| Refusal::unroutable(reason, &head.method))?;
        let access = opened.access.load_full();
        let requirement = Requirement::of(&route, &head.method);
        let asked = Asked { method: &head.method, headers: &head.headers, peer };
        let challenge = Challenge { challenges: access.challenges(), headers: &head.headers, scope: requirement.scope() };
        let Identified { identity, cookies } = match requirement {
            Requirement::Nothing => Identified { identity: Identity::anonymous(), cookies: Vec::new() },
            _ => match access.identify(&asked).await {
                Ok(identified) => identified,
                Err(rejected) => {
                    self.fail_delay.hold(access.delay_of(&rejected), &self.health).await;
                    return Err(challenge.rejecting(rejected));
                }
            },
        };
        report.asked_by(&identity.subject);
        let permit = Permit { access: &access, who: &identity, asked, challenge };
        if let Err(refusal) = permit.require(&requirement, &route) {
            return auth::with_cookies(Err(refusal), cookies);
        }
        let claim = opened.claims.as_ref().and_then(|key| vouch::claim(key, &permit, &requirement, head));
        let cx = Context { subject: identity.subject.clone(), claim, ..cx };
        let call = Call { registry: &opened.registry, access: &access, options: &self.options, permit: &permit, cx: &cx, outlet, head };
        let answered = dispatch::dispatch(&call, &route, &self.health, body).await;
        auth::with_cookies(answered, cookies)
    }

    fn panicked(&self, panic: &(dyn Any + Send), request: &RequestId, head: &Parts) -> Refusal {
        self.panics.fetch_add(1, Ordering::Relaxed);
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("unknown panic");
        tracing::error!(%request, method = %head.method, path = head.uri.path(), error = text, "request panicked");
        Refusal::panicked()
    }
}

/// What a request came by.
struct Way<'a> {
    peer: &'a Peer,
    outlet: Option<Outlet>,
}

/// The trace that the client says the request belongs to. It is passed on; nothing is decided by it.
fn trace_parent(headers: &HeaderMap) -> Option<TraceParent> {
    headers.get(header::TRACE_PARENT)?.to_str().ok()?.parse().ok()
}

/// Faults are logged here and nowhere else: the client is not told what they are.
fn refuse(refusal: Refusal, request: &RequestId, head: &Parts) -> Response {
    if let Some(fault) = refusal.fault() {
        let (method, path, error) = (&head.method, head.uri.path(), chain(fault));
        if refusal.status() == StatusCode::SERVICE_UNAVAILABLE {
            tracing::warn!(%request, %method, path, %error, "request could not be answered for now");
        } else {
            tracing::error!(%request, %method, path, %error, "request failed");
        }
    }
    refusal.render(request)
}

/// A response to HEAD has the headers of the one to GET, and no body (RFC 9110 section 9.3.2).
fn drop_body(response: &mut Response) {
    let body = std::mem::take(response.body_mut());
    let length = body.size_hint().exact().filter(|length| *length > 0);
    if let Some(length) = length.filter(|_| !response.headers().contains_key(CONTENT_LENGTH)) {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway")
            .field("registry", &self.opened.get().map(|opened| &opened.registry))
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
