//! What the processes of a cluster agree on: its members, the numbered view of them, which member owns a repository, and what a gateway vouches
//! for. Pure.

mod claim;
mod cluster_id;
mod member;
mod placement;
mod status;
mod view;

pub use claim::{Acts, CLAIM_LIFE, Claim, ClaimKey, Disbelieved, Grants};
pub use cluster_id::ClusterId;
pub use member::{Member, NodeId, State};
pub use placement::{HashKey, Placement};
pub use status::{JobStatus, Status};
pub use view::{Loss, Storage, View};
