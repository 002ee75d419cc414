//! How large the parts of an upload are: small at first, so that memory is; larger the more there are, so that they suffice.

use zot_config::storage::PART_BYTES;

/// The largest part that S3 takes.
pub(crate) const PART_BYTES_MAX: u64 = *PART_BYTES.end();
/// The first parts where the configuration says nothing.
pub(crate) const PART_BYTES_DEFAULT: u64 = 8 << 20;
/// The most parts of an upload.
pub(crate) const PARTS_MAX: usize = 10_000;

/// How many parts of a size there are before it doubles. Then 10,000 parts make 9 TiB even where the first have 5 MiB, and content of 20 GiB
/// still goes in parts of at most 16 MiB where the first have 8 MiB.
const PARTS_OF_A_SIZE: usize = 900;

/// The size of the part at `index`, counted from 0, where the first have `first` bytes.
pub(crate) fn part_bytes(first: u64, index: usize) -> u64 {
    let doublings = u32::try_from(index / PARTS_OF_A_SIZE).unwrap_or(u32::MAX);
    let factor = 2_u64.checked_pow(doublings).unwrap_or(u64::MAX);
    first.saturating_mul(factor).min(PART_BYTES_MAX)
}

/// The size of the first `count` parts together.
pub(crate) fn parts_bytes(first: u64, count: usize) -> u64 {
    (0..count).map(|index| part_bytes(first, index)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART_BYTES_MIN: u64 = *PART_BYTES.start();

    #[test]
    fn ten_thousand_parts_reach_five_tebibytes() {
        for first in [PART_BYTES_MIN, PART_BYTES_DEFAULT, 64 << 20, PART_BYTES_MAX] {
            assert!(parts_bytes(first, PARTS_MAX) >= 5 << 40, "{first}");
        }
    }

    #[test]
    fn parts_grow_slowly_and_never_beyond_the_largest() {
        let sizes: Vec<u64> = (0..PARTS_MAX).map(|index| part_bytes(PART_BYTES_DEFAULT, index)).collect();
        assert_eq!(sizes[0], PART_BYTES_DEFAULT);
        assert!(sizes.iter().all(|size| (PART_BYTES_MIN..=PART_BYTES_MAX).contains(size)));
        assert!(sizes.windows(2).all(|pair| pair[1] == pair[0] || pair[1] == (pair[0] * 2).min(PART_BYTES_MAX)));
        let needed = (0..).find(|count| parts_bytes(PART_BYTES_DEFAULT, *count) >= 20 << 30).unwrap();
        assert!(part_bytes(PART_BYTES_DEFAULT, needed) <= 16 << 20);
    }

    #[test]
    fn the_sum_agrees_with_the_sizes() {
        assert_eq!(parts_bytes(PART_BYTES_MIN, 0), 0);
        assert_eq!(parts_bytes(PART_BYTES_MIN, 901), 900 * PART_BYTES_MIN + 2 * PART_BYTES_MIN);
    }
}
