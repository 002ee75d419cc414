//! Trying again, as the clients of the world do when a registry goes away or says that it cannot at the moment.

use std::time::{Duration, Instant};

use http::StatusCode;

use super::{Call, Client, Reply};
use crate::{tell, wait};

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

/// For how long a client goes on asking a registry that says that it cannot at the moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    ends: Option<Instant>,
}

impl Patience {
    /// Whether a request that got this reply is to be sent again; if so, waits as long as the reply says.
    pub(super) async fn asks_for_another(self, reply: &Reply) -> bool {
        let goes_on = self.ends.is_some_and(|ends| Instant::now() < ends);
        if !goes_on || reply.status != StatusCode::SERVICE_UNAVAILABLE {
            return false;
        }
        // A 503 that does not say when to try again is not one to be patient with.
        let Ok(seconds) = reply.header("retry-after").parse() else { return false };
        tell(&format!("sent again in {seconds} s after a 503: {}", reply.text()));
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        true
    }
}

impl Client {
    /// The same client, but one that tries again when the registry says that it cannot at the moment, as clients of the world do: right after
    /// a fault, and where the machine may have stood still so long that one process took another for dead. Any other failure is shown at once, and
    /// only what is as good twice as once is sent twice.
    #[must_use]
    pub fn patient(&self) -> Self {
        Self { patient: true, ..self.clone() }
    }

    /// What patience it has with what it begins now.
    pub(super) fn patience(&self) -> Patience {
        Patience { ends: self.patient.then(|| Instant::now() + wait::PATIENCE) }
    }

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
