//! A gateway's registry over real nodes on loopback ports.

mod cluster;
mod contract;
mod failures;
mod moves;

use std::time::Duration;

/// A test that takes longer hangs. Generous, because nothing here measures speed.
const HANG: Duration = Duration::from_secs(60);

/// A standstill after which members that are there may have been taken for silent: less than the half second after which they are asked.
const STALL: Duration = Duration::from_millis(400);

/// Waits until a condition holds.
async fn until(condition: impl AsyncFn() -> bool) {
    let holds = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(HANG, holds).await.expect("the condition holds in the end");
}
