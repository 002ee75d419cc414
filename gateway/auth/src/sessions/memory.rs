//! A store in the memory of this process.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{SessionStore, StoreError, StoreKey};

/// The most logins that are under way in one process at a time.
const LOGINS_MAX: usize = 10_000;

/// Keeps values in memory: as many as it has room for, the newest.
#[derive(Debug)]
pub struct MemoryStore {
    values_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    values: HashMap<StoreKey, (Instant, Vec<u8>)>,
    /// The keys in the order in which they came, those of removed values among them.
    order: VecDeque<StoreKey>,
}

impl MemoryStore {
    /// An empty store for the logins that are under way in one process: where there are more, the oldest begin again.
    pub fn of_logins() -> Self {
        Self::new(LOGINS_MAX)
    }

    /// An empty store with room for `values_max` values.
    pub fn new(values_max: usize) -> Self {
        Self { values_max, kept: Mutex::default() }
    }
}

impl Kept {
    /// Lets go of what is over, and of the oldest where there is no room.
    fn make_room(&mut self, values_max: usize) {
        let now = Instant::now();
        while let Some(oldest) = self.order.front() {
            let over = self.values.get(oldest).is_none_or(|(until, _)| *until <= now);
            // The keys count: those of removed values go as they come to the front.
            if !over && self.order.len() < values_max {
                break;
            }
            self.values.remove(oldest);
            self.order.pop_front();
        }
    }
}

#[async_trait::async_trait]
impl SessionStore for MemoryStore {
    async fn create(&self, key: &StoreKey, value: &[u8], life: Duration) -> Result<(), StoreError> {
        let mut kept = self.kept.lock();
        kept.make_room(self.values_max);
        kept.values.insert(key.clone(), (Instant::now() + life, value.to_vec()));
        kept.order.push_back(key.clone());
        Ok(())
    }

    async fn find(&self, key: &StoreKey) -> Result<Option<Vec<u8>>, StoreError> {
        let kept = self.kept.lock();
        Ok(kept.values.get(key).filter(|(until, _)| *until > Instant::now()).map(|(_, value)| value.clone()))
    }

    async fn remove(&self, key: &StoreKey) -> Result<Option<Vec<u8>>, StoreError> {
        let removed = self.kept.lock().values.remove(key);
        Ok(removed.filter(|(until, _)| *until > Instant::now()).map(|(_, value)| value))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn it_is_a_store_of_sessions() {
        super::super::suite::suite(Arc::new(MemoryStore::new(1000))).await;
    }

    #[tokio::test]
    async fn the_oldest_go_where_there_is_no_room() {
        let store = MemoryStore::new(3);
        let keys: Vec<_> = (0..5).map(|n| StoreKey::new([n; 32])).collect();
        for key in &keys {
            store.create(key, b"", Duration::from_secs(60)).await.unwrap();
        }
        let mut found = Vec::new();
        for key in &keys {
            found.push(store.find(key).await.unwrap().is_some());
        }
        assert_eq!(found, [false, false, true, true, true]);
    }
}
