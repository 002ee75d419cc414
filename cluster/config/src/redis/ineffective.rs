//! Keys of a Redis section that are accepted and do nothing.

use std::time::Duration;

use super::{Form, Reach, Redis};
use crate::key_path::KeyPath;
use crate::report::Report;

const ONE_CONNECTION: &str = "all commands share one connection to each server";
const PRIMARIES: &str = "only primaries are asked";
const IN_CLUSTER: &str = "it is not heeded in a cluster";

/// Warns of each such key that is set, in the section itself or in the query of its URL.
pub(super) fn warn(section: &Redis, reach: &Reach, path: &KeyPath, report: &Report) {
    let (beside, all) = (set(section, &reach.form), set(&reach.settings, &reach.form));
    for (key, _, reason) in all.into_iter().filter(|(_, is_set, _)| *is_set) {
        if beside.iter().any(|(known, is_set, _)| *is_set && *known == key) {
            report.warning(&path.key(key), format!("has no effect: {reason}"));
        } else {
            report.warning(&path.key("url"), format!("`{key}` has no effect: {reason}"));
        }
    }
}

/// These keys, whether they are set, and why they do nothing.
fn set(redis: &Redis, form: &Form) -> [(&'static str, bool, &'static str); 15] {
    let number = |number: Option<u32>| number.is_some_and(|number| number > 0);
    let time = |time: Option<Duration>| time.is_some_and(|time| !time.is_zero());
    let is_cluster = *form == Form::Cluster;
    [
        ("db", is_cluster && redis.database > 0, IN_CLUSTER),
        ("client_name", is_cluster && redis.client_name.is_some(), IN_CLUSTER),
        ("context_timeout_enabled", redis.context_timeout_enabled, "every command is bounded in time"),
        ("pool_fifo", redis.pool_fifo, ONE_CONNECTION),
        ("pool_size", number(redis.pool_size), ONE_CONNECTION),
        ("pool_timeout", time(redis.pool_timeout), ONE_CONNECTION),
        ("min_idle_conns", number(redis.min_idle_connections), ONE_CONNECTION),
        ("max_idle_conns", number(redis.max_idle_connections), ONE_CONNECTION),
        ("max_active_conns", number(redis.max_active_connections), ONE_CONNECTION),
        ("conn_max_idle_time", time(redis.connection_max_idle_time), ONE_CONNECTION),
        ("conn_max_lifetime", time(redis.connection_max_lifetime), ONE_CONNECTION),
        ("read_only", redis.read_only, PRIMARIES),
        ("route_by_latency", redis.route_by_latency, PRIMARIES),
        ("route_randomly", redis.route_randomly, PRIMARIES),
        ("unstable_resp3", redis.unstable_resp3, "no command is sent whose answer is unstable"),
    ]
}
