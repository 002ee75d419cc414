//! What the processes of a cluster agree on: its members, the numbered view of them, and which member owns a repository. Pure.

mod member;
mod placement;
mod status;
mod view;

pub use member::{Member, NodeId, State};
pub use placement::{HashKey, Placement};
pub use status::{JobStatus, Status};
pub use view::{Storage, View};
