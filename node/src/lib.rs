//! Where data lives: opens the stores that a configuration names, puts what belongs around them, and runs their jobs.

mod assembly;
mod jobs;
mod owned;
mod plane;
mod routed;
mod stores;
mod vouched;

pub use assembly::{Node, rebuild};
pub use owned::Owned;
pub use plane::{Door, Ownership, Plane, UnknownPlace, check};
pub use stores::OpenError;
pub use vouched::Vouched;
pub use zot_storage::Rebuilt;

/// Logs how far the reading of image layouts is, for nobody in particular.
pub fn log_progress(done: usize, all: usize) {
    tracing::debug!(done, all, "reading image layouts");
}
