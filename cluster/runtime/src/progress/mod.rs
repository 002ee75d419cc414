//! Timeouts on progress, never on duration: a transfer may take days, but not stand still.

mod io;
mod stall;
mod stream;

pub use io::ProgressIo;
pub use stall::Stalled;
pub use stream::ProgressTimeout;

#[cfg(test)]
mod tests;
