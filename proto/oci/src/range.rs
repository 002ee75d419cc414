//! Byte ranges of blobs: the `Range` request header (RFC 9110 section 14.2), resolved against a size.

use std::num::ParseIntError;

/// A non-empty range of bytes, both ends inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteRange {
    first: u64,
    last: u64,
}

impl ByteRange {
    /// The range from `first` to `last`, both inclusive, or nothing if it would be empty.
    pub fn new(first: u64, last: u64) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// All bytes of content of `size` bytes, or nothing if there are none.
    pub fn whole(size: u64) -> Option<Self> {
        size.checked_sub(1).map(|last| Self { first: 0, last })
    }

    /// The offset of the first byte.
    pub fn first(self) -> u64 {
        self.first
    }

    /// The offset of the last byte.
    pub fn last(self) -> u64 {
        self.last
    }

    /// The number of bytes, at least one (saturating at the largest `u64`).
    pub fn length(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}

/// A parsed `Range` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeRequest(Vec<Spec>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spec {
    From(u64),
    Between(u64, u64),
    Suffix(u64),
}

/// Why a `Range` header cannot be answered with `206`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// Another unit than bytes, or syntax that RFC 9110 lets a server ignore.
    #[error("range is malformed: expected `bytes=first-last`")]
    Malformed,
    /// More ranges than [`RangeRequest::RANGES_MAX`].
    #[error("range asks for more than {} parts", RangeRequest::RANGES_MAX)]
    TooMany,
    /// No part of it lies within the content.
    #[error("range lies outside the content")]
    Unsatisfiable,
}

impl RangeRequest {
    /// The most ranges accepted in one request; zot's limit.
    pub const RANGES_MAX: usize = 16;

    /// Parses the value of a `Range` header.
    pub fn parse(header: &str) -> Result<Self, RangeError> {
        let specs = header.trim().strip_prefix("bytes=").ok_or(RangeError::Malformed)?;
        let specs: Vec<&str> = specs.split(',').map(str::trim).filter(|spec| !spec.is_empty()).collect();
        if specs.is_empty() {
            return Err(RangeError::Malformed);
        }
        if specs.len() > Self::RANGES_MAX {
            return Err(RangeError::TooMany);
        }
        specs.into_iter().map(Spec::parse).collect::<Result<_, _>>().map(Self)
    }

    /// The ranges of content of `size` bytes that are asked for: clamped, in order, and merged where they touch or overlap.
    pub fn resolve(&self, size: u64) -> Result<Vec<ByteRange>, RangeError> {
        let mut ranges: Vec<ByteRange> = self.0.iter().filter_map(|spec| spec.resolve(size)).collect();
        ranges.sort_unstable();
        let mut merged: Vec<ByteRange> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(before) if range.first <= before.last.saturating_add(1) => before.last = before.last.max(range.last),
                _ => merged.push(range),
            }
        }
        if merged.is_empty() { Err(RangeError::Unsatisfiable) } else { Ok(merged) }
    }
}

impl Spec {
    fn parse(text: &str) -> Result<Self, RangeError> {
        let (first, last) = text.split_once('-').ok_or(RangeError::Malformed)?;
        let number = |digits: &str| offset(digits).map_err(|_| RangeError::Malformed);
        match (first, last) {
            ("", last) => Ok(Self::Suffix(number(last)?)),
            (first, "") => Ok(Self::From(number(first)?)),
            (first, last) => Ok(Self::Between(number(first)?, number(last)?)),
        }
    }

    fn resolve(self, size: u64) -> Option<ByteRange> {
        let end = size.checked_sub(1)?;
        match self {
            Self::From(first) => ByteRange::new(first, end),
            Self::Between(first, last) if first <= end => ByteRange::new(first, last.min(end)),
            Self::Between(..) | Self::Suffix(0) => None,
            Self::Suffix(length) => ByteRange::new(size.saturating_sub(length), end),
        }
    }
}

/// Digits only: `parse` alone would take a sign.
fn offset(digits: &str) -> Result<u64, ParseIntError> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse() } else { "".parse() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(header: &str) -> Result<Vec<(u64, u64)>, RangeError> {
        let ranges = RangeRequest::parse(header)?.resolve(10)?;
        Ok(ranges.into_iter().map(|range| (range.first(), range.last())).collect())
    }

    #[test]
    fn ranges_of_ten_bytes() {
        assert_eq!(resolve("bytes=0-"), Ok(vec![(0, 9)]));
        assert_eq!(resolve("bytes=0-100"), Ok(vec![(0, 9)]));
        assert_eq!(resolve("bytes=-3"), Ok(vec![(7, 9)]));
        assert_eq!(resolve("bytes=-30"), Ok(vec![(0, 9)]));
        assert_eq!(resolve("bytes=0-1,4-6"), Ok(vec![(0, 1), (4, 6)]));
        assert_eq!(resolve("bytes=4-6, 0-3"), Ok(vec![(0, 6)]));
        assert_eq!(resolve("bytes=20-30,1-1"), Ok(vec![(1, 1)]));
    }

    #[test]
    fn what_cannot_be_satisfied() {
        for header in ["bytes=100-100", "bytes=-0", "bytes=10-", "bytes=5-4"] {
            assert_eq!(resolve(header), Err(RangeError::Unsatisfiable), "{header}");
        }
    }

    #[test]
    fn what_is_malformed() {
        for header in ["", "=0", "byte=0", "bytes=", "bytes=1", "bytes=a-b", "bytes=+1-2", "bytes=--1", "bytes=99999999999999999999-"] {
            assert_eq!(resolve(header), Err(RangeError::Malformed), "{header}");
        }
        assert_eq!(resolve(&format!("bytes={}", "0-0,".repeat(17))), Err(RangeError::TooMany));
    }

    #[test]
    fn empty_content_has_no_range() {
        assert_eq!(RangeRequest::parse("bytes=0-").unwrap().resolve(0), Err(RangeError::Unsatisfiable));
    }
}
