//! What requests are answered with.

use std::sync::Arc;

use arc_swap::ArcSwap;
use zot_auth::{Access, rate::RateLimits};
use zot_cluster::ClaimKey;
use zot_contract::Registry;

/// What a gateway has once the process has opened it.
pub struct Opened {
    /// Whom to ask.
    pub registry: Arc<dyn Registry>,
    /// Who is let in. Another one may take its place at any time.
    pub access: ArcSwap<Access>,
    /// How many requests clients may send, if that is limited.
    pub rate: Option<Arc<RateLimits>>,
    /// The key under which nodes are told what was decided here, if they want to be told.
    pub claims: Option<ClaimKey>,
}
