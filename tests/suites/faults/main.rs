//! What the registry keeps of its promises when the process, the power, the disk or the client fails under it.
//!
//! One reference model knows what was acknowledged; every test loads the real binary, breaks something and asks the model.
#![cfg(test)]

mod cluster;
mod damage;
mod disk;
mod disk_fails;
mod disk_full;
mod disk_refuses;
mod kill;
mod layouts;
mod load;
mod losses;
mod model;
mod node_disk_full;
mod power_cut;
mod random;
mod rounds;
mod slow_clients;
mod termination;

/// What a node logs whose disk takes no more of its log: Raft says so in its own words, and the node ends.
const NODE_ENDS: [&str; 4] = ["No space left", "takes no part in its cluster", "openraft", "could not serve"];
