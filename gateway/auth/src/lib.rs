//! Who may do what: from what a request shows to an [`Identity`], and from an identity to a decision.
//!
//! Nothing here answers HTTP: the gateway asks, and renders what it is told. [`authn`] finds out who somebody is, [`authz`] decides purely.

mod access;
pub mod accounts;
pub mod api_keys;
mod assembly;
pub mod authn;
pub mod authz;
mod browser;
mod challenge;
pub mod egress;
mod expressions;
mod identity;
mod now;
pub mod openid;
mod peer;
pub mod rate;
pub mod sessions;

pub use access::{Access, Identified};
pub use assembly::{Internal, OpenError, Surroundings, check};
pub use challenge::{BearerChallenge, Challenges, TokenError};
pub use identity::{Identity, Method, Rights};
pub use now::now_unix_ms;
pub use peer::{Peer, PeerTls};
