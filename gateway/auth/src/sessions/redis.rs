//! A store in Redis, which all gateways share.

use std::time::Duration;

use zot_redis::{Connection, Key, Room};

use super::{SessionStore, StoreError, StoreKey};

/// Keeps values in Redis, which forgets them by itself when their life is over.
#[derive(Debug)]
pub struct RedisStore {
    connection: Connection,
    room: Room<'static>,
}

impl RedisStore {
    /// A store at the end of a connection, in a room that nobody else uses.
    pub fn new(connection: Connection, room: Room<'static>) -> Self {
        Self { connection, room }
    }

    fn key(&self, key: &StoreKey) -> Key {
        self.connection.key(self.room, key)
    }
}

#[async_trait::async_trait]
impl SessionStore for RedisStore {
    async fn create(&self, key: &StoreKey, value: &[u8], life: Duration) -> Result<(), StoreError> {
        self.connection.set(&self.key(key), value, life).await.map_err(|error| StoreError::new("keep a session", error))
    }

    async fn find(&self, key: &StoreKey) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.connection.get(&self.key(key)).await.map_err(|error| StoreError::new("find a session", error))?;
        Ok(found.map(|value| value.to_vec()))
    }

    async fn remove(&self, key: &StoreKey) -> Result<Option<Vec<u8>>, StoreError> {
        let taken = self.connection.take(&self.key(key)).await.map_err(|error| StoreError::new("remove a session", error))?;
        Ok(taken.map(|value| value.to_vec()))
    }
}
