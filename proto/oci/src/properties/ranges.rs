//! Byte ranges against a model that asks about every byte alone.

use proptest::{collection::vec, prelude::*};

use crate::{ByteRange, RangeError, RangeRequest};

#[derive(Debug, Clone)]
enum Asked {
    From(u64),
    Between(u64, u64),
    Last(u64),
}

impl Asked {
    fn header(&self) -> String {
        match self {
            Self::From(first) => format!("{first}-"),
            Self::Between(first, last) => format!("{first}-{last}"),
            Self::Last(length) => format!("-{length}"),
        }
    }

    fn wants(&self, byte: u64, size: u64) -> bool {
        match *self {
            Self::From(first) => first <= byte,
            Self::Between(first, last) => first <= byte && byte <= last,
            Self::Last(length) => size - byte <= length,
        }
    }
}

fn asked(offset: impl Strategy<Value = u64> + Clone) -> impl Strategy<Value = Asked> {
    prop_oneof![
        offset.clone().prop_map(Asked::From),
        (offset.clone(), offset.clone()).prop_map(|(first, last)| Asked::Between(first, last)),
        offset.prop_map(Asked::Last),
    ]
}

/// The header that asks for `parts`, with white space and empty parts where RFC 9110 lets lists have them.
fn header(parts: &[Asked], comma: &str) -> String {
    let parts: Vec<String> = parts.iter().map(Asked::header).collect();
    format!("bytes={}", parts.join(comma))
}

/// The runs of bytes that `parts` ask for.
fn runs(parts: &[Asked], size: u64) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for byte in (0..size).filter(|byte| parts.iter().any(|part| part.wants(*byte, size))) {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == byte => *last = byte,
            _ => runs.push((byte, byte)),
        }
    }
    runs
}

proptest! {
    #[test]
    fn the_bytes_asked_for_are_those_that_each_part_wants(
        parts in vec(asked(0..40_u64), 1..=RangeRequest::RANGES_MAX),
        comma in "[ \t]?,[ ,]{0,2}",
        size in 0..36_u64,
    ) {
        let resolved = RangeRequest::parse(&header(&parts, &comma)).unwrap().resolve(size);
        let expected = runs(&parts, size);
        if expected.is_empty() {
            prop_assert_eq!(resolved, Err(RangeError::Unsatisfiable));
        } else {
            let found: Vec<_> = resolved.unwrap().iter().map(|range| (range.first(), range.last())).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn ranges_lie_within_the_content_apart_and_in_order(
        parts in vec(asked(prop_oneof![any::<u64>(), Just(u64::MAX), 0..3_u64]), 1..8),
        size in prop_oneof![any::<u64>(), Just(u64::MAX)],
    ) {
        if let Ok(ranges) = RangeRequest::parse(&header(&parts, ",")).unwrap().resolve(size) {
            prop_assert!(ranges.iter().all(|range| range.last() < size && range.length() <= size));
            prop_assert!(ranges.is_sorted_by(|one, next| one.last() + 1 < next.first()));
        }
    }

    #[test]
    fn more_parts_than_the_limit_are_refused(count in RangeRequest::RANGES_MAX + 1..200) {
        let parts = vec![Asked::From(0); count];
        prop_assert_eq!(RangeRequest::parse(&header(&parts, ",")), Err(RangeError::TooMany));
    }

    #[test]
    fn no_header_makes_it_panic(text in prop_oneof![any::<String>(), "(bytes=)?[0-9, =-]{0,40}"], size in any::<u64>()) {
        if let Ok(request) = RangeRequest::parse(&text) {
            let _ = request.resolve(size);
        }
    }

    #[test]
    fn a_range_is_as_long_as_its_bytes(first in 0..100_u64, last in 0..100_u64) {
        let range = ByteRange::new(first, last);
        prop_assert_eq!(range.map(ByteRange::length), (first <= last).then(|| (first..=last).count() as u64));
        prop_assert_eq!(ByteRange::whole(last).map(ByteRange::length), (last > 0).then_some(last));
    }
}
