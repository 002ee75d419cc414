//! A node as the others see it.

use std::{fmt, num::ParseIntError, str::FromStr};

use serde::{Deserialize, Serialize};

/// Names a node for as long as its data directory lives: drawn at random at its first start, so that a node whose disk was wiped is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl From<u64> for NodeId {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl FromStr for NodeId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its identity.
    pub id: NodeId,
    /// What people call it (`cluster.name`).
    pub name: String,
    /// Where the others reach its internal plane, as `host:port`.
    pub address: String,
    /// What it does at present.
    pub state: State,
}

/// What a member does at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It catches up with the log and owns nothing yet.
    Joining,
    /// It owns its share of the repositories.
    Up,
    /// It owns nothing any more, and finishes what it has begun.
    Draining,
    /// The others do not hear from it.
    Down,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Joining => "joining",
            Self::Up => "up",
            Self::Draining => "draining",
            Self::Down => "down",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_read_as_it_is_shown() {
        let id = NodeId(0xbeef);
        assert_eq!(id.to_string(), "000000000000beef");
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}
