//! Values with a revision: written only on top of the revision the writer has seen.

use std::time::Duration;

use bytes::Bytes;
use redis::Cmd;

use crate::{
    connection::{Connection, milliseconds},
    error::Result,
    key::Key,
};

/// Writes if the revision held is the expected one, empty for none. A writer that did not get its answer sends the same `call` again and
/// is told what became of the first. The time of writing is the server's own.
const WRITE: &str = "
local held = redis.call('HMGET', KEYS[1], 'revision', 'call')
if held[2] == ARGV[4] then return 1 end
if (held[1] or '') ~= ARGV[1] then return 0 end
local now = redis.call('TIME')
redis.call('HSET', KEYS[1], 'revision', ARGV[2], 'value', ARGV[3], 'call', ARGV[4], 'written', now[1] .. string.format('%06d', now[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
";

/// For how many microseconds a value has been held, by the clock of the server that wrote it down; nothing if there is none.
const AGE: &str = "
local written = redis.call('HGET', KEYS[1], 'written')
if not written then return false end
local now = redis.call('TIME')
return string.format('%.0f', math.max(0, now[1] * 1000000 + now[2] - written))
";

/// A value with its revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// The revision it was written with.
    pub revision: u64,
    /// The value.
    pub value: Bytes,
}

impl Connection {
    /// What is under a key, if anything.
    pub async fn get_versioned(&self, key: &Key) -> Result<Option<Versioned>> {
        let mut command = redis::cmd("HMGET");
        command.arg(key.as_str()).arg("revision").arg("value");
        let (revision, value): (Option<u64>, Option<Bytes>) = self.command("read a value", &command).await?;
        Ok(revision.zip(value).map(|(revision, value)| Versioned { revision, value }))
    }

    /// Puts a value under a key for as long as `expiry`, if the revision there is `previous`: `None` for nothing there. Whether it was.
    pub async fn compare_and_set(&self, key: &Key, new: &Versioned, previous: Option<u64>, expiry: Duration) -> Result<bool> {
        let mut command = script(WRITE, key);
        command.arg(previous.map(|revision| revision.to_string()).unwrap_or_default()).arg(new.revision).arg(&new.value[..]);
        command.arg(uuid::Uuid::new_v4().as_bytes()).arg(milliseconds(expiry));
        self.command("write a value", &command).await
    }

    /// How long ago what is under a key was written, if anything is.
    pub async fn age(&self, key: &Key) -> Result<Option<Duration>> {
        let age: Option<u64> = self.command("read the age of a value", &script(AGE, key)).await?;
        Ok(age.map(Duration::from_micros))
    }
}

/// Scripts are sent whole: they are small, and a server that took over knows none.
pub(crate) fn script(text: &str, key: &Key) -> Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(text).arg(1).arg(key.as_str());
    command
}
