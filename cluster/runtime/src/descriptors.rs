//! How many files and connections this process may have open at a time.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit as far as this process is let, and returns it; nothing if there is none.
pub fn raise_limit() -> Option<u64> {
    let found = getrlimit(Resource::Nofile);
    let limit = match setrlimit(Resource::Nofile, Rlimit { current: found.maximum, maximum: found.maximum }) {
        Ok(()) => found.maximum,
        // A supervisor may have decided that it stays as it is.
        Err(error) => {
            tracing::warn!(%error, "could not raise the limit on open files");
            found.current
        }
    };
    tracing::info!(limit, raised = limit != found.current, "limit on open files");
    limit
}
