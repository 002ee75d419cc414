//! Whether this process lives, has started, and wants requests: what supervisors and load balancers ask.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};

use super::render::response;

/// Where a process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Opening what it needs; no requests yet.
    Starting,
    /// Serving.
    Ready,
    /// Finishing what it has; no new requests.
    Draining,
}

/// The stage that a process is in; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<AtomicU8>);

impl Health {
    /// A process that is starting.
    pub fn new() -> Self {
        Self::default()
    }

    /// Enters a stage.
    pub fn enter(&self, stage: Stage) {
        self.0.store(stage as u8, Ordering::Release);
    }

    /// The stage it is in.
    pub fn stage(&self) -> Stage {
        match self.0.load(Ordering::Acquire) {
            0 => Stage::Starting,
            1 => Stage::Ready,
            _ => Stage::Draining,
        }
    }
}

/// `/livez`: answering is proof enough.
pub(super) fn live() -> Response {
    answer(true)
}

/// `/startupz`: all that is needed is open.
pub(super) fn started(health: &Health) -> Response {
    answer(health.stage() >= Stage::Ready)
}

/// `/readyz`: requests are welcome.
pub(super) fn ready(health: &Health) -> Response {
    answer(health.stage() == Stage::Ready)
}

fn answer(yes: bool) -> Response {
    const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
    let mut answer = if yes { response(StatusCode::OK, "ok") } else { response(StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    answer.headers_mut().insert(header::CONTENT_TYPE, TEXT);
    answer
}

#[cfg(test)]
mod tests {
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
}
