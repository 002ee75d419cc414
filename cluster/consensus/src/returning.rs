//! As whom a node starts again. One that its cluster removed meanwhile is another one from then on, and asks to be let in as such: the old
//! identity is known to be gone, and what it knew is of no use any more.

use std::sync::Arc;

use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::time::timeout;
use zot_cluster::{NodeId, Storage};

use crate::{
    error::{BoxError, Contact, OpenError},
    options::{Options, Transport},
    outbound::Outbound,
    random::Random,
    store::Store,
};

/// Begins to send messages as the node that `store` says this is. Where the members have disks of their own, a node that was removed is an error.
pub(crate) async fn identify(
    store: &Store,
    options: &Options,
    random: &Random,
    transport: Arc<dyn Transport>,
) -> Result<Outbound, OpenError> {
    let failed = |source: BoxError| OpenError::Directory { directory: options.directory.clone(), source };
    let contact = |id| Contact { id, address: options.address.clone() };
    let (id, cluster) = (store.node(random).map_err(failed)?, store.cluster().map_err(failed)?);
    let outbound = Outbound::new(contact(id), cluster, Arc::clone(&transport));
    if !store.removed().map_err(failed)? && !was_removed(&outbound, options).await {
        return Ok(outbound);
    }
    if options.storage == Storage::Local {
        store.set_removed().await.map_err(failed)?;
        return Err(OpenError::Removed { directory: options.directory.clone() });
    }
    let new = NodeId(random.next());
    store.renew(new).await.map_err(failed)?;
    tracing::warn!(node = %new, "{id} was removed from its cluster: this node asks to be let in as a new one, {new}");
    Ok(Outbound::new(contact(new), None, transport))
}

/// Whether the leader of its cluster says that a node is no member. If nobody answers soon who can tell, the node finds out later.
async fn was_removed(outbound: &Outbound, options: &Options) -> bool {
    if outbound.cluster().is_none() {
        return false;
    }
    let within = options.timings.presence * 2;
    let others = options.seeds.iter().filter(|address| **address != options.address);
    let mut asked: FuturesUnordered<_> = others.map(|address| outbound.say_present(address, None, within)).collect();
    let told = async {
        while let Some(answer) = asked.next().await {
            if let Ok(is_member) = answer {
                return !is_member;
            }
        }
        false
    };
    timeout(within, told).await.unwrap_or(false)
}
