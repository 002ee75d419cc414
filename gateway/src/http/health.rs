//! Whether this process lives, has started, and wants requests: what supervisors and load balancers ask.

use std::{
    borrow::Cow,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, Ordering},
    },
};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::render::response;

/// Where a process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Opening what it needs, while it listens already; no requests yet.
    Starting,
    /// Serving.
    Ready,
    /// Finishing what it has; no new requests.
    Draining,
}

/// The stage that a process is in; clones share it.
#[derive(Clone)]
pub struct Health {
    stage: Arc<AtomicU8>,
    /// Cancelled when it drains.
    drains: CancellationToken,
    /// What it does while it starts.
    doing: Arc<Mutex<Cow<'static, str>>>,
    /// Whether what the process depends on is there; nothing if it depends on nothing.
    supplied: Arc<OnceLock<Box<dyn Fn() -> bool + Send + Sync>>>,
}

impl Health {
    /// A process that is starting, and depends on nothing that may go away.
    pub fn new() -> Self {
        Self { stage: Arc::default(), drains: CancellationToken::new(), doing: Arc::default(), supplied: Arc::default() }
    }

    /// Says what it does while it starts.
    pub fn is_doing(&self, what: impl Into<Cow<'static, str>>) {
        *self.doing.lock() = what.into();
    }

    /// It wants requests only while `supplied` says so, which is asked each time. What is said first counts.
    pub fn needs(&self, supplied: impl Fn() -> bool + Send + Sync + 'static) {
        self.supplied.set(Box::new(supplied)).ok();
    }

    /// Enters a stage.
    pub fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Release);
        if stage == Stage::Draining {
            self.drains.cancel();
        }
    }

    /// Waits until it drains.
    pub async fn draining(&self) {
        self.drains.cancelled().await;
    }

    /// The stage it is in.
    pub fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Acquire) {
            0 => Stage::Starting,
            1 => Stage::Ready,
            _ => Stage::Draining,
        }
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Health").field(&self.stage()).finish()
    }
}

/// `/livez`: answering is proof enough.
pub(super) fn live() -> Response {
    answer(StatusCode::OK, Cow::Borrowed("ok"))
}

/// `/startupz`: all that is needed is open.
pub(super) fn started(health: &Health) -> Response {
    told(health, health.stage() >= Stage::Ready)
}

/// `/readyz`: requests are welcome.
pub(super) fn ready(health: &Health) -> Response {
    told(health, health.stage() == Stage::Ready && health.supplied.get().is_none_or(|supplied| supplied()))
}

fn told(health: &Health, yes: bool) -> Response {
    let no = StatusCode::SERVICE_UNAVAILABLE;
    match health.stage() {
        _ if yes => live(),
        Stage::Starting => answer(no, format!("starting: {}", health.doing.lock()).into()),
        _ => answer(no, "not ready".into()),
    }
}

fn answer(status: StatusCode, text: Cow<'static, str>) -> Response {
    const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
    let mut answer = response(status, text);
    answer.headers_mut().insert(header::CONTENT_TYPE, TEXT);
    answer
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn each_stage_answers_for_itself() {
        let health = Health::new();
        let statuses = |health: &Health| [live(), started(health), ready(health)].map(|answer| answer.status().as_u16());
        assert_eq!(statuses(&health), [200, 503, 503]);
        health.enter(Stage::Ready);
        assert_eq!(statuses(&health.clone()), [200, 200, 200]);
        health.enter(Stage::Draining);
        assert_eq!(statuses(&health), [200, 200, 503]);
    }

    #[test]
    fn a_process_that_lacks_what_it_needs_wants_no_requests() {
        let there = Arc::new(AtomicBool::new(false));
        let needed = Arc::clone(&there);
        let health = Health::new();
        health.needs(move || needed.load(Ordering::Relaxed));
        health.enter(Stage::Ready);
        assert_eq!((started(&health).status(), ready(&health).status()), (StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE));
        there.store(true, Ordering::Relaxed);
        assert_eq!(ready(&health).status(), StatusCode::OK);
    }
}
