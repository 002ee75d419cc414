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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_read_in_either_kind_of_unit() {
        let read = |text| Size::parse(text).map(Size::bytes);
        assert_eq!([read("50GiB"), read("500 mb"), read("7"), read("1B")], [Some(50 << 30), Some(500_000_000), Some(7), Some(1)]);
        for other in ["", "GiB", "-1", "1.5GB", "1 x", "99999999TiB"] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,20}") {
            let _ = Size::parse(&text);
        }

        #[test]
        fn a_size_is_its_number_times_its_unit(digits in "[0-9]{0,21}", space in " {0,2}", unit in "([kmgtKMGTx]?i?[bB])?") {
            let known = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(&unit)).map(|(_, bytes)| *bytes);
            let factor = if unit.is_empty() { Some(1) } else { known };
            let product = factor.and_then(|factor| digits.parse::<u128>().ok()?.checked_mul(factor.into()));
            let expected = product.and_then(|bytes| u64::try_from(bytes).ok());
            prop_assert_eq!(Size::parse(&format!("{digits}{space}{unit}")).map(Size::bytes), expected);
        }

        #[test]
        fn what_is_shown_is_read_back(number in prop_oneof![0..2_000_u64, any::<u64>()], unit in 0..UNITS.len()) {
            let size = Size::of_bytes(number.saturating_mul(UNITS[unit].1));
            prop_assert_eq!(size.show().as_str().and_then(Size::parse), Some(size));
        }
    }
}
