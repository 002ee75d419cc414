//! What an identity may do: pure decisions over values that were compiled once.

mod condition;
mod pattern;
mod policy;
mod rules;
mod scope;

pub use pattern::{InvalidPattern, Pattern};
pub use policy::{Decision, Policy, Wish};
pub use scope::{ActionSet, Scope, ScopeTarget};
pub use zot_config::http::access_control::Action;
