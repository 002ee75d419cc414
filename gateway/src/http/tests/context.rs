//! On whose behalf a registry is asked: what a client may say of that, and what it may not.

use std::sync::Arc;

use axum::body::Body;
use zot_contract::{Context, MemoryRegistry, Registry, Subject};

use crate::sandbox::{Answers, Recording, Sandbox, Setup};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What a registry is told of a request with these headers.
async fn told(headers: &[(&str, &str)]) -> Context {
    let recording = Arc::new(Recording::new(Arc::new(MemoryRegistry::default()), Answers::Given));
    let registry: Arc<dyn Registry> = Arc::<Recording>::clone(&recording);
    let sandbox = Sandbox::with(Setup { registry, ..Setup::default() }).await;
    let request = headers.iter().fold(sandbox.request("GET", "/v2/a/tags/list"), |request, (name, value)| request.header(*name, *value));
    sandbox.send(request.body(Body::empty()).unwrap()).await;
    let calls = std::mem::take(&mut *recording.calls.lock());
    calls.into_iter().next().unwrap()
}

#[tokio::test]
async fn what_only_the_cluster_may_say_is_not_taken_from_clients() {
    let hostile = [
        ("x-zot-view", "1"),
        ("x-zot-failover", "true"),
        ("x-zot-cluster-hop-count", "1"),
        ("x-forwarded-user", "admin"),
        ("x-remote-user", "admin"),
        ("zot-user", "admin"),
        ("user", "admin"),
        ("routed", "1"),
        ("grpc-metadata-user", "admin"),
        ("context-bin", "CgVhZG1pbg=="),
        ("grpc-timeout", "1n"),
    ];
    let cx = told(&hostile).await;
    assert_eq!((cx.subject, cx.routed, cx.trace), (Subject::Anonymous, None, None));
    assert!(!hostile.iter().any(|(_, value)| cx.request.to_string() == *value));
}

#[tokio::test]
async fn the_names_of_a_request_and_of_its_trace_are_passed_on() {
    let cx = told(&[("x-request-id", "r-1"), ("traceparent", TRACE)]).await;
    assert_eq!((cx.request.to_string(), cx.trace.unwrap().as_str()), ("r-1".to_owned(), TRACE));
    for nonsense in ["", "00-0-0-00", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"] {
        assert_eq!(told(&[("traceparent", nonsense)]).await.trace, None);
    }
}
