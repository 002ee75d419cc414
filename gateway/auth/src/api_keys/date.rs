//! Times as they stand in requests and answers: RFC 3339, and RFC 1123 with a numeric zone, which the documentation of zot asks for.

use chrono::{DateTime, SecondsFormat, Utc};

/// What stands for a time that there is none of, as zot says it.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// The milliseconds since the Unix epoch at a time; negative ones are as good as zero.
pub(super) fn parse(text: &str) -> Option<u64> {
    let time = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc2822(text)).ok()?;
    Some(u64::try_from(time.timestamp_millis()).unwrap_or_default())
}

/// A time in RFC 3339.
pub(super) fn show(unix_ms: Option<u64>) -> String {
    let time = unix_ms.and_then(|unix_ms| DateTime::<Utc>::from_timestamp_millis(i64::try_from(unix_ms).ok()?));
    time.map_or_else(|| NEVER.to_owned(), |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        for text in
            ["2030-01-02T03:04:05Z", "2030-01-02T04:04:05+01:00", "Wed, 02 Jan 2030 03:04:05 +0000", "Wed, 02 Jan 2030 04:04:05 +0100"]
        {
            assert_eq!(parse(text), Some(1_893_553_445_000), "{text}");
        }
        for text in ["", "tomorrow", "2030-01-02", "2030-01-02T03:04:05", "Thu, 02 Jan 2030 03:04:05 +0000", "1893553445"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("0001-01-01T00:00:00Z"), Some(0));
    }

    #[test]
    fn times_are_shown_as_they_are_read() {
        assert_eq!(show(Some(1_893_553_445_000)), "2030-01-02T03:04:05Z");
        assert_eq!(show(Some(1_893_553_445_070)), "2030-01-02T03:04:05.070Z");
        assert_eq!(show(None), NEVER);
    }
}
