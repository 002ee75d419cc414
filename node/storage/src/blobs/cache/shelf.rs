//! What the cache holds and for how long: a pure account of names and sizes.
//!
//! A blob comes in on trial; one that is asked for again is settled. Room is made from the one on trial that was used longest ago, and only
//! then from the settled ones. Once there is no room left, a blob is let in when it is asked for the second time within a window.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use super::Name;

/// What a file costs beyond its bytes at most, in bytes: it fills whole blocks.
const BLOCK_BYTES: u64 = 4096;
/// How many blobs are held at most, whatever their size: each costs memory.
const ENTRIES_MAX: usize = 1 << 20;
/// How many blobs that were asked for once are remembered.
const WINDOW_NAMES_MAX: usize = 1 << 16;
/// Of how many parts one blob may fill one at most.
const PARTS: u64 = 2;
/// The share of the room that settled blobs may have, in percent; beyond it the one used longest ago is on trial again.
const SETTLED_PERCENT: u64 = 80;

/// What the cache holds.
#[derive(Debug)]
pub(super) struct Shelf {
    bytes_max: u64,
    /// The bytes of blobs that are held or being fetched.
    bytes: u64,
    /// Those of them that are being fetched.
    coming_bytes: u64,
    settled_bytes: u64,
    entries: HashMap<Name, Entry>,
    trial: BTreeMap<u64, Name>,
    settled: BTreeMap<u64, Name>,
    uses: u64,
    window: Window,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    size: u64,
    /// When it was used last, as a count of uses.
    used: u64,
    settled: bool,
}

impl Shelf {
    pub(super) fn new(bytes_max: u64) -> Self {
        let (entries, trial, settled, window) = Default::default();
        Self { bytes_max, bytes: 0, coming_bytes: 0, settled_bytes: 0, entries, trial, settled, uses: 0, window }
    }

    /// The size of a blob that is held; it is settled from now on.
    pub(super) fn touch(&mut self, name: &Name) -> Option<u64> {
        let entry = *self.entries.get(name)?;
        self.take(name, entry);
        self.place(*name, entry.size, true);
        while self.settled_bytes > self.bytes_max / 100 * SETTLED_PERCENT {
            let Some((_, oldest)) = self.settled.first_key_value() else { break };
            let (oldest, entry) = (*oldest, self.entries[oldest]);
            self.take(&oldest, entry);
            self.place(oldest, entry.size, false);
        }
        Some(entry.size)
    }

    /// Whether a blob that is asked for and not held is to be let in.
    pub(super) fn admits(&mut self, name: &Name, size: u64) -> bool {
        let room = self.bytes + charge(size) <= self.bytes_max && self.entries.len() < ENTRIES_MAX;
        self.window.seen(name) || room
    }

    /// Takes room for a blob to come, and names those that have to go for it. Nothing happens if it is too large, or if too much of the room
    /// is taken by others to come.
    pub(super) fn reserve(&mut self, size: u64, evicted: &mut Vec<Name>) -> bool {
        if charge(size) > self.bytes_max / PARTS || self.coming_bytes + charge(size) > self.bytes_max {
            return false;
        }
        while self.bytes + charge(size) > self.bytes_max || self.entries.len() >= ENTRIES_MAX {
            let Some((_, oldest)) = self.trial.first_key_value().or_else(|| self.settled.first_key_value()) else { break };
            let oldest = *oldest;
            self.remove(&oldest);
            evicted.push(oldest);
        }
        self.bytes += charge(size);
        self.coming_bytes += charge(size);
        true
    }

    /// Gives room back that was taken for nothing.
    pub(super) fn release(&mut self, size: u64) {
        self.bytes -= charge(size);
        self.coming_bytes -= charge(size);
    }

    /// Puts a blob in the room that was taken for it.
    pub(super) fn keep(&mut self, name: Name, size: u64) {
        // One that is there already has its own room.
        self.remove(&name);
        self.coming_bytes -= charge(size);
        self.place(name, size, false);
    }

    /// Whether a blob was held; it is not any more.
    pub(super) fn remove(&mut self, name: &Name) -> bool {
        let Some(entry) = self.entries.get(name).copied() else { return false };
        self.take(name, entry);
        self.bytes -= charge(entry.size);
        true
    }

    fn take(&mut self, name: &Name, entry: Entry) {
        self.entries.remove(name);
        if entry.settled {
            self.settled.remove(&entry.used);
            self.settled_bytes -= charge(entry.size);
        } else {
            self.trial.remove(&entry.used);
        }
    }

    fn place(&mut self, name: Name, size: u64, settled: bool) {
        self.uses += 1;
        self.entries.insert(name, Entry { size, used: self.uses, settled });
        if settled {
            self.settled.insert(self.uses, name);
            self.settled_bytes += charge(size);
        } else {
            self.trial.insert(self.uses, name);
        }
    }

    /// The bytes of blobs that are held or being fetched.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The room that a blob takes.
fn charge(size: u64) -> u64 {
    size.div_ceil(BLOCK_BYTES).saturating_mul(BLOCK_BYTES)
}

/// The blobs that were asked for once lately.
#[derive(Debug, Default)]
struct Window {
    names: HashSet<Name>,
    order: VecDeque<Name>,
}

impl Window {
    /// Whether a blob was asked for within the window; it is remembered for the next time.
    fn seen(&mut self, name: &Name) -> bool {
        if !self.names.insert(*name) {
            return true;
        }
        self.order.push_back(*name);
        if self.order.len() > WINDOW_NAMES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.names.remove(&oldest);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(number: u32) -> Name {
        Name::sha256(&number.to_le_bytes())
    }

    /// Asks for a blob as the cache does; whether it was held.
    fn ask(shelf: &mut Shelf, number: u32, size: u64) -> bool {
        if shelf.touch(&name(number)).is_some() {
            return true;
        }
        if shelf.admits(&name(number), size) && shelf.reserve(size, &mut Vec::new()) {
            shelf.keep(name(number), size);
        }
        false
    }

    #[test]
    fn reading_everything_once_does_not_push_out_what_is_read_all_day() {
        let mut shelf = Shelf::new(100 * BLOCK_BYTES);
        let hot = 0..50;
        for number in hot.clone().chain(hot.clone()) {
            ask(&mut shelf, number, BLOCK_BYTES);
        }
        for number in 1000..50_000 {
            ask(&mut shelf, number, BLOCK_BYTES);
        }
        assert!(hot.into_iter().all(|number| ask(&mut shelf, number, BLOCK_BYTES)));
    }

    #[test]
    fn what_becomes_hot_is_let_in_when_it_is_asked_for_again() {
        let mut shelf = Shelf::new(10 * BLOCK_BYTES);
        for number in (0..10).chain(0..10) {
            ask(&mut shelf, number, BLOCK_BYTES);
        }
        assert!(!ask(&mut shelf, 99, BLOCK_BYTES));
        assert!(!ask(&mut shelf, 99, BLOCK_BYTES));
        assert!(ask(&mut shelf, 99, BLOCK_BYTES));
    }

    #[test]
    fn what_fills_most_of_the_cache_is_not_let_in() {
        let mut shelf = Shelf::new(10 * BLOCK_BYTES);
        for _ in 0..3 {
            assert!(!ask(&mut shelf, 1, 6 * BLOCK_BYTES));
        }
        assert_eq!(shelf.bytes(), 0);
    }

    #[test]
    fn the_window_forgets() {
        let mut window = Window::default();
        assert!(!window.seen(&name(0)));
        for number in 1..=WINDOW_NAMES_MAX as u32 {
            window.seen(&name(number));
        }
        assert_eq!((window.names.len(), window.order.len()), (WINDOW_NAMES_MAX, WINDOW_NAMES_MAX));
        assert!(!window.seen(&name(0)));
    }

    proptest! {
        #[test]
        fn the_account_is_exact_and_bounded(asked in prop::collection::vec((0_u32..40, 0_u64..8, 0_u8..9), 0..300)) {
            let mut shelf = Shelf::new(20 * BLOCK_BYTES);
            let (mut coming, mut evicted, mut held) = (Vec::new(), Vec::new(), HashSet::new());
            for (number, blocks, act) in asked {
                let size = blocks * BLOCK_BYTES;
                match act {
                    0 => { held.remove(&name(number)); shelf.remove(&name(number)); }
                    1 => if let Some((_, size)) = coming.pop() { shelf.release(size) },
                    2 | 3 => if let Some((name, size)) = coming.pop() { shelf.keep(name, size); held.insert(name); },
                    4 | 5 => { shelf.touch(&name(number)); }
                    _ => {
                        let (room, before) = (shelf.reserve(size, &mut evicted), held.len());
                        held.retain(|name| !evicted.contains(name));
                        prop_assert!(room || before == held.len(), "what gets no room pushes nothing out");
                        evicted.clear();
                        if room { coming.push((name(number), size)) }
                    }
                }
                let sum = |settled: bool| shelf.entries.values().filter(|entry| entry.settled || !settled).map(|entry| charge(entry.size)).sum::<u64>();
                let coming_bytes: u64 = coming.iter().map(|(_, size)| charge(*size)).sum();
                prop_assert_eq!((shelf.bytes, shelf.coming_bytes, shelf.settled_bytes), (sum(false) + coming_bytes, coming_bytes, sum(true)));
                prop_assert_eq!(shelf.entries.keys().copied().collect::<HashSet<_>>(), held.clone());
                prop_assert_eq!(shelf.entries.len(), shelf.trial.len() + shelf.settled.len());
                prop_assert!(shelf.bytes <= shelf.bytes_max);
            }
        }
    }
}
