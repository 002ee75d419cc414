//! What an identity may do: pure decisions over values that were compiled once.

mod scope;

pub use scope::{ActionSet, Scope, ScopeTarget};
pub use zot_config::http::access_control::Action;
