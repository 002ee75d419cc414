//! One request of a writer, and the three ways in which it can end.

use zot_tests::{Reply, client::Call, wait};

/// Why a request was not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The connection broke: the registry is gone.
    Gone,
    /// The registry said, as it should, that it cannot do this at the moment.
    Unavailable,
}

/// Sends a request. Any answer but `expected` or a proper refusal for lack of storage fails the test.
pub(crate) async fn attempt(call: Call<'_>, expected: &[u16]) -> Result<Reply, Stopped> {
    let answer = tokio::time::timeout(wait::PATIENCE, call.try_send()).await.expect("every request is answered, one way or the other");
    let Ok(reply) = answer else { return Err(Stopped::Gone) };
    // So a front says that a gateway broke the connection, or that none takes one.
    if reply.status == 502 {
        return Err(Stopped::Gone);
    }
    if reply.status == 503 {
        let seconds: u64 = reply.header("retry-after").parse().expect("a 503 says when to try again");
        assert!(seconds > 0);
        // The reply to a HEAD has no body.
        assert!(reply.body.is_empty() || reply.error_code() == "UNAVAILABLE", "{}", reply.text());
        return Err(Stopped::Unavailable);
    }
    assert!(expected.contains(&reply.status.as_u16()), "unexpected {} for {expected:?}: {}", reply.status, reply.text());
    Ok(reply)
}
