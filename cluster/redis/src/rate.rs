//! How often something may happen, counted by all processes together.

use std::time::Duration;

use crate::{connection::Connection, error::Result, key::Key, versioned::script};

/// The generic cell rate algorithm over the server's own clock: what is kept is the time at which the next one would be due, in microseconds.
/// Answers how long to wait, 0 for not at all; what has to wait is not counted.
const ADMIT: &str = "
local now = redis.call('TIME')
now = now[1] * 1000000 + now[2]
local interval, ahead = tonumber(ARGV[1]), tonumber(ARGV[2])
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
if due - ahead > now then return math.ceil(due - ahead - now) end
due = due + interval
redis.call('SET', KEYS[1], string.format('%.0f', due), 'PX', math.ceil((due - now) / 1000) + 1)
return 0
";

impl Connection {
    /// Counts one more under a key, unless there were more than `burst` beyond `per_second`: then how long to wait. Zero counts as one.
    pub async fn admit(&self, key: &Key, per_second: u32, burst: u32) -> Result<Option<Duration>> {
        let interval_us = 1_000_000 / u64::from(per_second.max(1));
        let mut command = script(ADMIT, key);
        command.arg(interval_us).arg(interval_us * u64::from(burst.max(1) - 1));
        let wait_us: u64 = self.command("count a request", &command).await?;
        Ok((wait_us > 0).then(|| Duration::from_micros(wait_us)))
    }
}
