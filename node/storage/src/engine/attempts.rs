//! How often a change is tried again that others keep getting ahead of.

use std::time::Duration;

use uuid::Uuid;

use crate::{Error, Result};

/// The most attempts. They take some seconds in all; whoever has not come through by then is told to try again later.
const ATTEMPTS_MAX: u32 = 32;

/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// When a client should try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The attempts so far at one change.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    made: u32,
}

impl Attempts {
    /// Another attempt failed. Waits a random time, which grows with each attempt: whoever collided does not collide again.
    pub(super) async fn again(&mut self) -> Result<()> {
        self.made += 1;
        if self.made >= ATTEMPTS_MAX {
            let reason = format!("others changed the same rows before each of {ATTEMPTS_MAX} attempts");
            return Err(Error::unavailable("a moment without other changes", RETRY_AFTER, reason));
        }
        // The first collision is over when it is noticed.
        if self.made > 1 {
            let most = PAUSE_MAX.min(Duration::from_millis(1) * (1 << self.made.min(8)));
            let share = (Uuid::new_v4().as_u64_pair().0 >> 40) as u32;
            tokio::time::sleep(most * (share >> 8) / (1 << 16)).await;
        }
        Ok(())
    }
}
