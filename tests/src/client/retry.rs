//! Trying again, as the clients of the world do when a registry goes away or says that it cannot at the moment.

use std::time::{Duration, Instant};

use super::{Call, Client, Reply};
use crate::wait;

/// The pause between two attempts. Clients of the world take longer ones; this one measures.
const PAUSE: Duration = Duration::from_millis(20);
/// How long an attempt may go without an answer.
const ATTEMPT: Duration = Duration::from_secs(10);

/// What came of trying again and again.
#[derive(Debug)]
pub struct Tried {
    /// The first answer that was one.
    pub reply: Reply,
    /// How many attempts were in vain before.
    pub failures: usize,
    /// From the first attempt to the answer.
    pub took: Duration,
}

impl Client {
    /// Sends what `call` makes until it is answered, and not with a failure of the server's. Fails the test if that takes too long.
    pub async fn retry<'c>(&'c self, call: impl Fn(&'c Self) -> Call<'c>) -> Tried {
        let (begun, mut failures) = (Instant::now(), 0);
        loop {
            let answer = tokio::time::timeout(ATTEMPT, call(self).try_send()).await;
            let failure = match answer {
                Ok(Ok(reply)) if !reply.status.is_server_error() => return Tried { reply, failures, took: begun.elapsed() },
                Ok(Ok(reply)) => format!("{} {}", reply.status, reply.text()),
                Ok(Err(broken)) => broken.to_string(),
                Err(_) => format!("no answer within {ATTEMPT:?}"),
            };
            assert!(begun.elapsed() < wait::PATIENCE, "{failures} attempts in vain, the last: {failure}");
            failures += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }
}
