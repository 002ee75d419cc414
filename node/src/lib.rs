//! Where data lives: opens the stores that a configuration names, puts what belongs around them, and runs their jobs.

mod assembly;
mod jobs;
mod owned;
mod routed;

pub use assembly::{Node, OpenError, rebuild};
pub use owned::Owned;
pub use zot_storage::Rebuilt;
