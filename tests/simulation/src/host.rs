//! A machine: a runtime of its own with a clock of its own, which runs for a moment when it is its turn.

use std::time::Duration;

use tokio::{
    runtime::{Builder, Handle, Runtime},
    time::{Instant, advance, sleep_until},
};

/// A process on a machine. Dropping it is `kill -9`: all that it had in memory is gone.
pub(crate) struct Host {
    runtime: Runtime,
    /// Its clock, and the simulation's, when it started.
    started: (Instant, Duration),
    /// How fast its clock runs.
    speed: f64,
    /// Whether it was stopped since its last turn: its clock was not.
    stopped: bool,
}

impl Host {
    /// A process that starts `now`, with a clock that runs `speed` times as fast as the simulation's.
    pub(crate) fn start(now: Duration, speed: f64) -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let started = (runtime.block_on(async { Instant::now() }), now);
        Self { runtime, started, speed, stopped: false }
    }

    pub(crate) fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    /// Lets a turn pass, as for a process that was stopped.
    pub(crate) fn miss(&mut self) {
        self.stopped = true;
    }

    /// Runs until its clock shows what it shows when the simulation's shows `now`, then looks at something.
    pub(crate) fn run<T>(&mut self, now: Duration, look: impl FnOnce() -> T) -> T {
        let until = self.started.0 + (now - self.started.1).mul_f64(self.speed);
        let stopped = std::mem::take(&mut self.stopped);
        self.runtime.block_on(async move {
            if stopped {
                // All that came due while it was stopped is due at once.
                advance(until.saturating_duration_since(Instant::now())).await;
            }
            sleep_until(until).await;
            look()
        })
    }
}
