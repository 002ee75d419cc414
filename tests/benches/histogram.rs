//! Latencies in buckets whose width grows with the value: at most 1/64 of error from a nanosecond to
//! hours, in a fixed 30 KiB.

use std::time::Duration;

/// Buckets per power of two.
const STEPS: u64 = 64;
const STEP_BITS: u32 = STEPS.trailing_zeros();
const BUCKETS: usize = (STEPS as usize) * (64 - STEP_BITS as usize + 1);

/// A count of durations by size.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, max: Duration::ZERO }
    }
}

impl Histogram {
    /// Counts one duration.
    pub(crate) fn record(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanoseconds)] += 1;
        self.total += 1;
        self.max = self.max.max(duration);
    }

    /// Adds everything another one has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    /// The duration that `share` (0 to 1) of all do not exceed; zero when nothing was counted.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let rank = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(upper_bound(index)).min(self.max);
            }
        }
        self.max
    }

    /// The longest duration counted.
    pub(crate) fn max(&self) -> Duration {
        self.max
    }
}

/// The first two powers' worth of values have a bucket each; above, a value's top bits choose.
fn bucket(value: u64) -> usize {
    if value < STEPS {
        return value as usize;
    }
    let shift = value.ilog2() - STEP_BITS;
    (u64::from(shift + 1) * STEPS + (value >> shift) - STEPS) as usize
}

/// The largest value that falls into a bucket.
fn upper_bound(index: usize) -> u64 {
    let (row, step) = (index as u64 / STEPS, index as u64 % STEPS);
    if row == 0 {
        return step;
    }
    ((STEPS + step + 1) << (row - 1)).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_within_a_sixty_fourth_of_its_bucket() {
        for value in (0..64).map(|bit| 1_u64 << bit).flat_map(|v| [v - 1, v, v + v / 3]) {
            let bound = upper_bound(bucket(value));
            assert!(bound >= value, "{value} is above {bound}");
            assert!(bound - value <= value / STEPS, "{value} is too far below {bound}");
        }
        assert_eq!(upper_bound(bucket(u64::MAX)), u64::MAX);
    }

    #[test]
    fn quantiles_of_a_hundred_values() {
        let mut histogram = Histogram::default();
        (1..=100).for_each(|value| histogram.record(Duration::from_nanos(value)));
        assert_eq!(histogram.quantile(0.5).as_nanos(), 50);
        assert_eq!(histogram.quantile(0.99).as_nanos(), 99);
        assert_eq!(histogram.quantile(1.0).as_nanos(), 100);
        assert_eq!(Histogram::default().quantile(0.5), Duration::ZERO);
    }

    #[test]
    fn merging_counts_both() {
        let (mut left, mut right) = (Histogram::default(), Histogram::default());
        left.record(Duration::from_nanos(1));
        right.record(Duration::from_secs(1));
        left.merge(&right);
        assert_eq!(left.quantile(0.5).as_nanos(), 1);
        assert_eq!(left.max(), Duration::from_secs(1));
    }
}
