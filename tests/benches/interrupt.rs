//! Ending early in good order: the first SIGINT or SIGTERM asks the load to stop, so that every
//! server and directory is cleaned up by its owner on the way out.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

/// Signals are sent to the process as a whole, so that this is one for the whole process too.
static RAISED: AtomicBool = AtomicBool::new(false);

/// Starts to listen for signals.
pub(crate) fn watch() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let runtime = runtime.context("start the signal listener")?;
    let (mut interrupted, mut terminated) = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupted.recv() => (),
                _ = terminated.recv() => (),
            }
        });
        RAISED.store(true, Ordering::Relaxed);
    });
    Ok(())
}

/// Whether a signal has come.
pub(crate) fn is_raised() -> bool {
    RAISED.load(Ordering::Relaxed)
}

/// An error once a signal has come; a transfer asks between two pieces.
pub(crate) fn check() -> io::Result<()> {
    if is_raised() {
        // Not `ErrorKind::Interrupted`, which readers take for "try again".
        return Err(io::Error::other("interrupted"));
    }
    Ok(())
}
