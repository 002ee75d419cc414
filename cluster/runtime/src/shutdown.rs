//! The signals a process lives by: SIGTERM and SIGINT end it, SIGHUP asks it to read its files again.

use std::fmt;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal as listen};

/// What asked the process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownSignal {
    /// SIGTERM: a supervisor.
    Terminate,
    /// SIGINT: ctrl-c.
    Interrupt,
}

impl fmt::Display for ShutdownSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
        })
    }
}

/// Receives shutdown signals from the moment it is made; none that arrives while the process starts is lost.
#[derive(Debug)]
pub struct ShutdownSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl ShutdownSignals {
    /// Takes over SIGTERM and SIGINT; it must be called inside a runtime.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// Waits for the next one: the first begins the drain, a second may cut it short.
    pub async fn received(&mut self) -> ShutdownSignal {
        tokio::select! {
            _ = self.terminate.recv() => ShutdownSignal::Terminate,
            _ = self.interrupt.recv() => ShutdownSignal::Interrupt,
        }
    }
}

/// Waits for SIGTERM or SIGINT; what arrives before the first poll is not seen, [`ShutdownSignals`] sees it.
///
/// # Errors
/// The system refuses a handler.
pub async fn signal() -> io::Result<ShutdownSignal> {
    Ok(ShutdownSignals::listen()?.received().await)
}

/// Receives SIGHUP, which would end a process that does not listen.
#[derive(Debug)]
pub struct ReloadSignals(Signal);

impl ReloadSignals {
    /// Takes over SIGHUP; it must be called inside a runtime.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn listen() -> io::Result<Self> {
        listen(SignalKind::hangup()).map(Self)
    }

    /// Waits for the next one; several that arrive together count once.
    pub async fn received(&mut self) {
        self.0.recv().await;
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    fn raise(signal: Signal) {
        kill_process(getpid(), signal).unwrap();
    }

    #[tokio::test]
    async fn each_shutdown_signal_is_told_apart_and_a_second_is_seen() {
        let mut signals = ShutdownSignals::listen().unwrap();
        raise(Signal::TERM);
        assert_eq!(signals.received().await.to_string(), "SIGTERM");
        raise(Signal::INT);
        assert_eq!(signals.received().await.to_string(), "SIGINT");
    }

    #[tokio::test]
    async fn a_hangup_is_received_and_does_not_end_the_process() {
        let mut signals = ReloadSignals::listen().unwrap();
        raise(Signal::HUP);
        signals.received().await;
        raise(Signal::HUP);
        signals.received().await;
    }
}
