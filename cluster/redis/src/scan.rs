//! Looking through the keys of a room, on every primary there is.

use std::collections::{BTreeMap, BTreeSet};

use redis::{
    RedisResult, Value,
    aio::ConnectionLike,
    cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr},
    from_redis_value,
};

use crate::{
    connection::Connection,
    error::Result,
    key::{self, Key, Room},
    link::Link,
};

/// How many keys a server looks at for one page.
const PAGE_KEYS: usize = 1000;
/// What is being done, for errors.
const ACT: &str = "list keys";

impl Connection {
    /// The ids of every key of a room that was there all the while; one that came or went meanwhile may be among them or not.
    pub async fn ids(&self, room: Room<'_>) -> Result<BTreeSet<String>> {
        let pattern = key::pattern(self.prefix(), room);
        let mut ids = BTreeSet::new();
        for primary in self.on_link(ACT, primaries).await? {
            let mut cursor = 0;
            loop {
                let (next, keys) = self.on_link(ACT, |link| page(link, primary, cursor, pattern.clone())).await?;
                ids.extend(keys.iter().filter_map(|key| Key::id(self.prefix(), room, key)).map(str::to_owned));
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
        }
        Ok(ids)
    }
}

/// One slot of each primary of a cluster; nothing stands for the one server there is otherwise.
async fn primaries(link: Link) -> RedisResult<Vec<Option<u16>>> {
    let Link::Cluster(mut cluster) = link else { return Ok(vec![None]) };
    let ranges: Vec<Vec<Value>> = from_redis_value(cluster.req_packed_command(redis::cmd("CLUSTER").arg("SLOTS")).await?)?;
    let mut slots = BTreeMap::new();
    for range in ranges {
        // First slot, last slot, then the servers, the primary first: its host and port.
        let [first, _, primary, ..] = &range[..] else { continue };
        let primary: Vec<Value> = from_redis_value(primary.clone())?;
        slots.insert(format!("{:?}", primary.get(..2)), from_redis_value(first.clone())?);
    }
    Ok(slots.into_values().map(Some).collect())
}

async fn page(link: Link, slot: Option<u16>, cursor: u64, pattern: String) -> RedisResult<(u64, Vec<String>)> {
    let mut command = redis::cmd("SCAN");
    command.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(PAGE_KEYS);
    let value = match (link, slot) {
        (Link::Cluster(mut link), Some(slot)) => {
            let route = SingleNodeRoutingInfo::SpecificNode(Route::new(slot, SlotAddr::Master));
            link.route_command(command, RoutingInfo::SingleNode(route)).await?
        }
        (mut link, _) => link.req_packed_command(&command).await?,
    };
    Ok(from_redis_value(value)?)
}
