//! Numbers that nobody else draws, or, in a simulation, that every run with the same seed draws.

use parking_lot::Mutex;

/// The step of SplitMix64 (Steele, Lea, Flood 2014).
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Where a node's random numbers come from.
#[derive(Debug)]
pub(crate) struct Random(Option<Mutex<u64>>);

impl Random {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self(seed.map(Mutex::new))
    }

    /// The next number.
    pub(crate) fn next(&self) -> u64 {
        let Some(state) = &self.0 else { return uuid::Uuid::new_v4().as_u64_pair().0 };
        let mut state = state.lock();
        *state = state.wrapping_add(STEP);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A fraction of 1.
    pub(crate) fn fraction(&self) -> f64 {
        self.next() as f64 / u64::MAX as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_says_what_is_drawn_and_without_one_nobody_knows() {
        let draw = |seed| {
            let random = Random::new(seed);
            [random.next(), random.next(), random.next()]
        };
        assert_eq!(draw(Some(1)), draw(Some(1)));
        assert_ne!(draw(Some(1)), draw(Some(2)));
        assert_ne!(draw(None), draw(None));
    }
}
