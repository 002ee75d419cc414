//! Clusters of all-in-one processes, which name each other's HTTP addresses (`cluster.members`).

use super::builder::HASH_KEY;
use crate::Sandbox;

/// Registries of their own that are prepared to be members of one cluster.
pub fn prepare_members<const COUNT: usize>() -> [Sandbox; COUNT] {
    std::array::from_fn(|_| Sandbox::builder().set("/cluster/hashKey", HASH_KEY).prepare())
}

/// Starts prepared registries as the members of one cluster.
pub async fn start_members(members: &mut [Sandbox]) {
    let addresses: Vec<String> = members.iter().map(|member| member.address().to_string()).collect();
    for member in &mut *members {
        member.set("/cluster/members", addresses.clone());
        member.spawn();
    }
    for member in members {
        member.ready().await;
    }
}
