//! Timeouts on progress, never on duration: a transfer may take days, but neither stand still nor trickle.

mod io;
mod pace;
mod stall;
mod stream;

pub use io::ProgressIo;
pub use pace::{MinimumPace, TooSlow};
pub use stall::Stalled;
pub use stream::ProgressTimeout;

#[cfg(test)]
mod tests;
