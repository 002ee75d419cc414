//! One request and its response on a connection, as hyper sees them.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use zot_auth::Peer;
use zot_contract::BoxError;

use super::activity::Activity;
use crate::{
    http::{Gateway, Reported},
    outlet::Outlet,
};

/// Answers one request, on a connection that may have an outlet.
pub(super) async fn answer(
    gateway: Arc<Gateway>,
    peer: Arc<Peer>,
    outlet: Option<Outlet>,
    exchange: Exchange,
    request: Request<Incoming>,
) -> Response<Watched> {
    let request = request.map(|body| if body.is_end_stream() { Body::empty() } else { Body::new(body) });
    let response = gateway.respond(peer, outlet, request).await;
    response.map(|body| Watched { body, waiting: None, exchange })
}

/// Marks the connection as busy while it lives.
pub(super) struct Exchange(Arc<Activity>);

impl Exchange {
    pub(super) fn begin(activity: &Arc<Activity>) -> Self {
        activity.began();
        Self(Arc::clone(activity))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.ended();
    }
}

/// The body of a response that notes since when its client has not asked for more.
pub(super) struct Watched {
    body: Reported,
    waiting: Option<Arc<AtomicU64>>,
    exchange: Exchange,
}

impl Watched {
    fn hand_over(&mut self) {
        if self.body.is_end_stream() {
            return;
        }
        let activity = &self.exchange.0;
        match &self.waiting {
            Some(waiting) => activity.handed_over(waiting),
            None => self.waiting = Some(activity.watch()),
        }
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(waiting) = &self.waiting {
            waiting.store(0, Relaxed);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.hand_over();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(waiting) = &self.waiting {
            self.exchange.0.unwatch(waiting);
        }
    }
}
