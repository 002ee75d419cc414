//! How long to leave servers alone that could not be connected to.

use std::time::Duration;

use crate::limits::Limits;

/// The pause after the `failures`th failure in a row: twice as long each time up to the limit, less up to a half of it by `chance`, so
/// that processes that lost a server at the same moment do not come back at the same moment.
pub(crate) fn pause(limits: &Limits, failures: u32, chance: f64) -> Duration {
    let doubled = limits.pause_min.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled.min(limits.pause_max).mul_f64(1.0 - chance.clamp(0.0, 1.0) / 2.0)
}

/// A chance from 0 to 1, good enough to spread pauses.
pub(crate) fn chance() -> f64 {
    f64::from(uuid::Uuid::new_v4().as_fields().0) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_limit() {
        let limits = Limits::of(&zot_config::redis::Redis::default());
        let pauses = [1, 2, 3, 4, 50, u32::MAX].map(|failures| pause(&limits, failures, 0.0).as_millis());
        assert_eq!(pauses, [20, 40, 80, 160, 1000, 1000]);
    }

    #[test]
    fn chance_takes_at_most_a_half_away() {
        let limits = Limits::of(&zot_config::redis::Redis::default());
        assert_eq!(pause(&limits, 1, 1.0), Duration::from_millis(10));
        assert!((0.0..=1.0).contains(&chance()));
    }
}
