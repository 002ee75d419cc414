//! `Content-Range` of an uploaded chunk (distribution-spec, "Pushing a blob in chunks").

use zot_oci::ByteRange;

/// A `Content-Range` is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid Content-Range: expected `first-last`, both inclusive")]
pub(crate) struct InvalidContentRange;

/// Parses the specification's `first-last`, and also RFC 9110's `bytes first-last/size`, which some clients send.
pub(crate) fn parse(text: &str) -> Result<ByteRange, InvalidContentRange> {
    let text = text.trim();
    let range = match text.strip_prefix("bytes") {
        Some(rest) => rest.strip_prefix([' ', '=']).ok_or(InvalidContentRange)?,
        None => text,
    };
    let range = match range.split_once('/') {
        Some((range, size)) if size == "*" || number(size).is_some() => range,
        Some(_) => return Err(InvalidContentRange),
        None => range,
    };
    let (first, last) = range.split_once('-').ok_or(InvalidContentRange)?;
    let ends = number(first).zip(number(last)).ok_or(InvalidContentRange)?;
    ByteRange::new(ends.0, ends.1).ok_or(InvalidContentRange)
}

/// Digits only: `parse` alone would take a sign.
fn number(digits: &str) -> Option<u64> {
    let only_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| only_digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_forms_are_understood() {
        for text in ["5-9", " 5-9 ", "bytes 5-9", "bytes=5-9", "bytes 5-9/20", "5-9/*", "bytes 5-9/*"] {
            assert_eq!(parse(text), Ok(ByteRange::new(5, 9).unwrap()), "{text:?}");
        }
        assert_eq!(parse("0-0").map(ByteRange::length), Ok(1));
        assert_eq!(parse("0-18446744073709551615").map(ByteRange::length), Ok(u64::MAX));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "-",
            "5",
            "5-",
            "-5",
            "9-5",
            "a-b",
            "+1-2",
            "1-+2",
            "bytes",
            "bytes5-9",
            "bytes */20",
            "5-9/x",
            "5-9/",
            "0-18446744073709551616",
            "1-2-3",
            "1 - 2",
            "0x1-0x2",
        ] {
            assert_eq!(parse(text), Err(InvalidContentRange), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_range_comes_back_from_its_text(first: u64, length in 0..=u64::MAX) {
            let last = first.saturating_add(length);
            prop_assert_eq!(parse(&format!("{first}-{last}")), Ok(ByteRange::new(first, last).unwrap()));
        }

        #[test]
        fn no_text_makes_the_parser_fail(text in "(bytes)?[0-9 =/*-]{0,30}|\\PC{0,20}") {
            let _ = parse(&text);
        }
    }
}
