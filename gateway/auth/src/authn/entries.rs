//! A bounded number of things, each kept for the same short while.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

/// What a thing is kept under: a hash that tells nobody what was hashed.
pub(super) type Key = [u8; 32];

/// Things by key; the oldest go first, whether they are in use or not.
#[derive(Debug)]
pub(super) struct Entries<T> {
    kept: HashMap<Key, Entry<T>>,
    /// In the order in which they end.
    ends: VecDeque<(Instant, Key)>,
}

#[derive(Debug)]
struct Entry<T> {
    value: T,
    end: Instant,
}

impl<T> Entries<T> {
    /// What is kept under a key, if its time is not over.
    pub(super) fn get(&self, key: &Key, now: Instant) -> Option<&T> {
        self.kept.get(key).filter(|entry| entry.end > now).map(|entry| &entry.value)
    }

    /// Keeps `value` for `life`, and lets go of the oldest if there would be more than `entries_max`.
    pub(super) fn insert(&mut self, key: Key, value: T, life: Duration, entries_max: usize) {
        let now = Instant::now();
        let end = now + life;
        while self.ends.front().is_some_and(|(end, _)| *end <= now || self.ends.len() >= entries_max) {
            self.remove_oldest();
        }
        self.ends.push_back((end, key));
        self.kept.insert(key, Entry { value, end });
    }

    fn remove_oldest(&mut self) {
        let Some((end, key)) = self.ends.pop_front() else { return };
        // It may have been kept anew since.
        if self.kept.get(&key).is_some_and(|entry| entry.end == end) {
            self.kept.remove(&key);
        }
    }
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self { kept: HashMap::new(), ends: VecDeque::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> Key {
        [number; 32]
    }

    #[tokio::test(start_paused = true)]
    async fn each_is_kept_for_its_time() {
        let mut entries = Entries::default();
        let life = Duration::from_secs(60);
        entries.insert(key(1), "one", life, 10);
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(entries.get(&key(1), Instant::now()), Some(&"one"));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(entries.get(&key(1), Instant::now()), None);
        entries.insert(key(2), "two", life, 10);
        assert_eq!((entries.kept.len(), entries.ends.len()), (1, 1), "what is over takes no room");
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_goes_when_there_is_no_room() {
        let mut entries = Entries::default();
        for number in 0..5 {
            entries.insert(key(number), number, Duration::from_secs(60), 3);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let kept: Vec<_> = (0..5).filter_map(|number| entries.get(&key(number), Instant::now()).copied()).collect();
        assert_eq!(kept, [2, 3, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_anew_outlives_its_first_end() {
        let mut entries = Entries::default();
        entries.insert(key(1), "old", Duration::from_secs(60), 10);
        tokio::time::advance(Duration::from_secs(30)).await;
        entries.insert(key(1), "new", Duration::from_secs(60), 10);
        tokio::time::advance(Duration::from_secs(40)).await;
        entries.insert(key(2), "other", Duration::from_secs(60), 10);
        assert_eq!(entries.get(&key(1), Instant::now()), Some(&"new"));
    }
}
