//! Durations as Go writes them: `1h30m`, `300ms`, or a bare number of nanoseconds.

use std::time::Duration;

use serde_json::Value;

use super::{Found, Setting, integer};

const EXPECTED: &str = "a duration such as `300ms`, `30s` or `1h30m`";

/// Reads a Go duration as signed nanoseconds; `None` if it is none or does not fit 64 bits (about 292 years).
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (negative, rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total: i64 = 0;
    let mut rest = (!rest.is_empty()).then_some(rest)?;
    while !rest.is_empty() {
        let (nanoseconds, remaining) = component(rest)?;
        total = total.checked_add(nanoseconds)?;
        rest = remaining;
    }
    Some(if negative { -total } else { total })
}

/// One number with its unit, in nanoseconds, and what follows it.
fn component(text: &str) -> Option<(i64, &str)> {
    let (whole, rest) = split_digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => split_digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let unit = unit_nanoseconds(name)?;
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let nanoseconds = whole.checked_mul(unit)?.checked_add(fraction_of(fraction, unit))?;
    Some((nanoseconds, rest))
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// The part of `unit` that the digits after the point stand for; what is below a nanosecond is dropped.
fn fraction_of(digits: &str, unit: i64) -> i64 {
    let mut place = i128::from(unit) * 1_000_000_000_000_000_000;
    let mut sum: i128 = 0;
    for digit in digits.bytes().take(18) {
        place /= 10;
        sum += place * i128::from(digit - b'0');
    }
    i64::try_from(sum / 1_000_000_000_000_000_000).unwrap_or(0)
}

fn unit_nanoseconds(name: &str) -> Option<i64> {
    Some(match name {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// Writes a duration so that [`parse`] reads it back: `1h30m`, `60s` becomes `1m`.
pub(crate) fn write(duration: Duration) -> String {
    const UNITS: [(&str, u128); 6] =
        [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];
    let mut rest = duration.as_nanos();
    let mut text = String::new();
    for (name, unit) in UNITS {
        if rest >= unit {
            text.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Signed nanoseconds: a duration's text, or a bare whole number.
fn nanoseconds(found: &Found<'_>) -> Option<i64> {
    let read = match found.value {
        Value::String(text) if text.is_empty() => Some(0),
        Value::String(text) => parse(text),
        Value::Number(_) => integer(found.value),
        _ => None,
    };
    if read.is_none() {
        found.expected(EXPECTED);
    }
    read
}

impl Setting for Duration {
    fn read(found: &Found<'_>) -> Option<Self> {
        let nanoseconds = nanoseconds(found)?;
        let Ok(nanoseconds) = u64::try_from(nanoseconds) else {
            found.refuse(format!("must not be negative, is -{}", write(Duration::from_nanos(nanoseconds.unsigned_abs()))));
            return None;
        };
        Some(Duration::from_nanos(nanoseconds))
    }

    fn show(&self) -> Value {
        Value::String(write(*self))
    }
}

/// How long to wait for a peer to make progress; zero and below in the file mean for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout(Option<Duration>);

impl Timeout {
    /// Waits for ever.
    pub const NEVER: Self = Self(None);

    /// Gives up after `duration` without progress; a zero duration means never.
    #[must_use]
    pub const fn after(duration: Duration) -> Self {
        Self(if duration.is_zero() { None } else { Some(duration) })
    }

    /// The longest wait, or `None` for ever.
    #[must_use]
    pub const fn limit(self) -> Option<Duration> {
        self.0
    }
}

impl Setting for Timeout {
    fn read(found: &Found<'_>) -> Option<Self> {
        let nanoseconds = nanoseconds(found)?;
        Some(u64::try_from(nanoseconds).map_or(Self::NEVER, |n| Self::after(Duration::from_nanos(n))))
    }

    fn show(&self) -> Value {
        Value::String(write(self.0.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_go_reads() {
        let second = 1_000_000_000;
        for (text, expected) in [
            ("0", 0),
            ("+5s", 5 * second),
            ("-5s", -5 * second),
            ("300ms", 300_000_000),
            ("1h30m", 5_400 * second),
            ("1.5h", 5_400 * second),
            (".5s", second / 2),
            ("1.s", second),
            ("2us3µs4μs", 9_000),
            ("168h", 168 * 3_600 * second),
            ("0.0000000001s", 0),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_go_refuses() {
        for text in ["", "-", "5", "5d", "s", ".s", "1h 30m", "1H", "5 s", "9999999999h", "--5s", "1.2.3s", "٣s"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_written_is_read_back(nanoseconds in 0..=i64::MAX) {
            let duration = Duration::from_nanos(nanoseconds.unsigned_abs());
            prop_assert_eq!(parse(&write(duration)), Some(nanoseconds));
        }
    }
}
