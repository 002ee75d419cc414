//! Sizes as people write them: `50GiB`, `500 MB`, or a bare number of bytes.

use serde_json::Value;

use super::{Found, Setting, integer};

/// The units, the largest of each kind first.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

impl Size {
    /// So many bytes.
    #[must_use]
    pub const fn of_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// A whole number and a unit, whatever its case; without one, bytes.
    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let (number, unit): (u64, _) = (number.parse().ok()?, unit.trim_start());
        let (_, bytes) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(if unit.is_empty() { "B" } else { unit }))?;
        number.checked_mul(*bytes).map(Self)
    }
}

impl Setting for Size {
    fn read(found: &Found<'_>) -> Option<Self> {
        let read = match found.value {
            Value::String(text) => Self::parse(text),
            Value::Number(_) => integer(found.value).and_then(|bytes| u64::try_from(bytes).ok()).map(Self),
            _ => None,
        };
        if read.is_none() {
            found.expected("a size such as `50GiB` or `500MB`");
        }
        read
    }

    fn show(&self) -> Value {
        let (name, unit) = UNITS.into_iter().find(|(_, unit)| self.0 > 0 && self.0.is_multiple_of(*unit)).unwrap_or(("B", 1));
        Value::String(format!("{}{name}", self.0 / unit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_either_kind_of_unit() {
        let read = |text| Size::parse(text).map(Size::bytes);
        assert_eq!([read("50GiB"), read("500 mb"), read("7"), read("1B")], [Some(50 << 30), Some(500_000_000), Some(7), Some(1)]);
        for other in ["", "GiB", "-1", "1.5GB", "1 x", "99999999TiB"] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for bytes in [0, 1, 1000, 1024, 1 << 20, 3 << 30, 2_000_000_000, 12_345] {
            let shown = Size::of_bytes(bytes).show();
            assert_eq!(Size::parse(shown.as_str().unwrap()), Some(Size::of_bytes(bytes)), "{shown}");
        }
    }
}
