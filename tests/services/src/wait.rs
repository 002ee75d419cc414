//! Waiting for a condition, bounded: the only place where a test rests.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long a condition may take unless said otherwise: far more than it should, for machines under load.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `condition` holds; fails the test, naming `what`, if it does not within [`PATIENCE`].
pub async fn until(what: &str, condition: impl AsyncFnMut() -> bool) {
    assert!(within(PATIENCE, condition).await, "waited {PATIENCE:?} in vain until {what}");
}

/// Whether `condition` comes to hold within `time`.
pub async fn within(time: Duration, mut condition: impl AsyncFnMut() -> bool) -> bool {
    let begun = Instant::now();
    while !condition().await {
        if begun.elapsed() > time {
            return false;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    true
}
