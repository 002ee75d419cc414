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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use zot_config::{Secret, redis::Redis as Settings};
    use zot_services::{Redis, skip::skip};

    use super::*;

    const LIFE: Duration = Duration::from_secs(60);

    /// A server, and a store there.
    async fn start() -> (Redis, RedisStore) {
        let server = Redis::start().await;
        let settings = Settings { url: Some(Secret::new(server.url())), ..Settings::default() };
        let store = RedisStore::new(Connection::open(&settings).unwrap(), Room::Sessions);
        (server, store)
    }

    #[tokio::test]
    async fn it_is_a_store_of_sessions() {
        if let Err(reason) = Redis::available() {
            return skip("sessions::redis::it_is_a_store_of_sessions", &reason);
        }
        let (_server, store) = start().await;
        super::super::suite::suite(Arc::new(store)).await;
    }

    #[tokio::test]
    async fn a_server_that_is_away_says_nothing_about_its_sessions_and_an_empty_one_has_none() {
        if let Err(reason) = Redis::available() {
            return skip("sessions::redis::a_server_that_is_away", &reason);
        }
        let (mut server, store) = start().await;
        let key = StoreKey::new([1; 32]);
        store.create(&key, b"value", LIFE).await.unwrap();
        server.kill();
        assert!(store.find(&key).await.is_err() && store.remove(&key).await.is_err() && store.create(&key, b"", LIFE).await.is_err());
        server.restart().await;
        // The connection rests for a moment after a failure.
        zot_services::wait::until("the server answers again", async || store.find(&key).await.is_ok()).await;
        assert_eq!(store.find(&key).await.unwrap(), None);
    }

    #[tokio::test]
    async fn ten_thousand_sessions_are_as_quick_as_one() {
        if let Err(reason) = Redis::available() {
            return skip("sessions::redis::ten_thousand_sessions", &reason);
        }
        let (_server, store) = start().await;
        let key = |number: u16| StoreKey::new([[0; 30].as_slice(), &number.to_be_bytes()].concat().try_into().unwrap());
        let find = async || {
            let begun = std::time::Instant::now();
            for number in 0..100 {
                assert!(store.find(&key(number)).await.unwrap().is_some());
            }
            begun.elapsed()
        };
        let create = async |numbers: std::ops::Range<u16>| {
            for number in numbers {
                store.create(&key(number), &[b'x'; 300], LIFE).await.unwrap();
            }
        };
        create(0..100).await;
        let few = find().await;
        create(100..10_000).await;
        let many = find().await.min(find().await);
        assert!(many < 5 * few + Duration::from_secs(1), "{few:?} among 100, {many:?} among 10000");
    }
}
