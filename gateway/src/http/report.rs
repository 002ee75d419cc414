//! Writes a request down when it is over: one access line for every request, one audit line for every change and every denial.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    http::{Method, StatusCode, request::Parts},
};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use zot_contract::{BoxError, RequestId, Subject};
use zot_runtime::telemetry::{AccessLine, AuditLine, chain};

use super::{Gateway, error::Refusal};

/// What stands for what is not known of a request.
const UNKNOWN: &str = "-";

/// A request that is being answered. Dropped, it is over.
pub(super) struct Report {
    gateway: Arc<Gateway>,
    peer: SocketAddr,
    subject: Subject,
    request: RequestId,
    head: Arc<Parts>,
    began: Instant,
    /// 0 for a request that was given up before it was answered.
    status: u16,
    denied: bool,
    body_bytes: u64,
}

impl Report {
    pub(super) fn begin(gateway: Arc<Gateway>, peer: SocketAddr, request: RequestId, head: Arc<Parts>) -> Self {
        Self { gateway, peer, subject: Subject::Anonymous, request, head, began: Instant::now(), status: 0, denied: false, body_bytes: 0 }
    }

    pub(super) fn asked_by(&mut self, subject: &Subject) {
        self.subject = subject.clone();
    }

    /// The user's name, once it is known.
    fn user(&self) -> Option<&str> {
        Some(self.subject.name()).filter(|name| !name.is_empty())
    }

    pub(super) fn refused(&mut self, refusal: &Refusal) {
        self.denied = refusal.is_denial();
    }

    pub(super) fn answered(&mut self, status: StatusCode) {
        self.status = status.as_u16();
    }

    fn target(&self) -> &str {
        self.head.uri.path_and_query().map_or("*", |target| target.as_str())
    }

    fn write_access(&self, request: &str) {
        let line = AccessLine {
            username: self.user(),
            client_ip: &self.peer,
            method: self.head.method.as_str(),
            path: self.target(),
            status: self.status,
            latency: self.began.elapsed(),
            body_size: self.body_bytes,
            request_id: Some(request),
        };
        let headers = self.head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        self.gateway.logs.access.record(&line, headers);
    }

    fn write_audit(&self, request: &str) {
        if let Some(audit) = &self.gateway.logs.audit {
            audit.record(&AuditLine {
                client_ip: &self.peer,
                subject: self.user(),
                action: self.head.method.as_str(),
                object: self.target(),
                status: self.status,
                request_id: Some(request),
            });
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let logs = &self.gateway.logs;
        if logs.access.is_enabled() {
            self.write_access(&self.request.to_string());
        }
        if logs.audit.is_some() && (self.denied || is_audited(&self.head.method, self.status)) {
            self.write_audit(&self.request.to_string());
        }
    }
}

/// What changes something and was done, or was given up half-way and may have been; and what was denied, also by a page for browsers.
fn is_audited(method: &Method, status: u16) -> bool {
    let changes = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(method);
    match status {
        401 | 403 => true,
        0 | 200..300 | 405 => changes,
        _ => false,
    }
}

impl Gateway {
    /// Writes down a request that could not be read, and was answered all the same. Nothing is known of it but who sent it.
    pub(crate) fn unreadable(&self, peer: SocketAddr, status: StatusCode) {
        let (latency, body_size) = (Duration::ZERO, 0);
        let status = status.as_u16();
        let line =
            AccessLine { username: None, client_ip: &peer, method: UNKNOWN, path: UNKNOWN, status, latency, body_size, request_id: None };
        self.logs.access.record(&line, []);
    }
}

/// The body of a response, with the report of its request.
pub struct Reported {
    body: Body,
    report: Report,
}

impl Reported {
    pub(super) fn new(body: Body, report: Report) -> Self {
        Self { body, report }
    }

    fn failed(&self, error: axum::Error) -> BoxError {
        let error = error.into_inner();
        tracing::error!(
            request = %self.report.request,
            path = self.report.head.uri.path(),
            error = %chain(&*error),
            "response broke off after {} bytes of its body",
            self.report.body_bytes
        );
        error
    }
}

impl http_body::Body for Reported {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            self.report.body_bytes += frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(|error| self.failed(error))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_and_denials_are_audited() {
        for (method, status) in [
            (Method::PUT, 201),
            (Method::PATCH, 202),
            (Method::DELETE, 204),
            (Method::DELETE, 405),
            (Method::PUT, 0),
            (Method::GET, 401),
            (Method::HEAD, 403),
        ] {
            assert!(is_audited(&method, status), "{method} {status}");
        }
        for (method, status) in [(Method::GET, 200), (Method::PUT, 400), (Method::GET, 405), (Method::POST, 500), (Method::GET, 0)] {
            assert!(!is_audited(&method, status), "{method} {status}");
        }
    }
}
