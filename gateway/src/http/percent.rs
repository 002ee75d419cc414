//! Percent-encoding (RFC 3986 section 2.1), decoded exactly once.

use std::borrow::Cow;

/// An escape is malformed, or stands for something that no part of a request may contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidEscape {
    /// `%` without two hexadecimal digits behind it.
    #[error("`%` must be followed by two hexadecimal digits")]
    Malformed,
    /// A control character, or in a path a character that would change its structure.
    #[error("an escape stands for a character that is not allowed here")]
    Forbidden,
    /// The decoded bytes are not text.
    #[error("escapes do not decode to UTF-8")]
    NotText,
}

/// Decodes a path. Structure is what is written, never what is escaped: an escaped `/` or `\` is refused.
pub(crate) fn decode_path(text: &str) -> Result<Cow<'_, str>, InvalidEscape> {
    decode(text, |byte| !matches!(byte, b'/' | b'\\'))
}

/// Decodes a name or value of a query. `+` stays `+`: nothing that a registry is asked for contains a space, but media types contain `+`.
pub(crate) fn decode_query(text: &str) -> Result<Cow<'_, str>, InvalidEscape> {
    decode(text, |_| true)
}

/// Encodes a value of a query, whatever it consists of.
pub(crate) fn encode_query(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn decode(text: &str, allowed: fn(u8) -> bool) -> Result<Cow<'_, str>, InvalidEscape> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digits = (hexadecimal(bytes.next())?, hexadecimal(bytes.next())?);
        let byte = digits.0 << 4 | digits.1;
        if byte.is_ascii_control() || !allowed(byte) {
            return Err(InvalidEscape::Forbidden);
        }
        decoded.push(byte);
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| InvalidEscape::NotText)
}

fn hexadecimal(digit: Option<u8>) -> Result<u8, InvalidEscape> {
    match digit {
        Some(digit @ b'0'..=b'9') => Ok(digit - b'0'),
        Some(digit @ b'a'..=b'f') => Ok(digit - b'a' + 10),
        Some(digit @ b'A'..=b'F') => Ok(digit - b'A' + 10),
        _ => Err(InvalidEscape::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_without_escapes_is_not_copied() {
        assert!(matches!(decode_path("/v2/a+b"), Ok(Cow::Borrowed("/v2/a+b"))));
    }

    #[test]
    fn escapes_are_decoded_once() {
        assert_eq!(decode_path("sha256%3Aab").unwrap(), "sha256:ab");
        assert_eq!(decode_path("%252e").unwrap(), "%2e");
        assert_eq!(decode_query("library%2Falpine+x%C3%A4").unwrap(), "library/alpine+xä");
    }

    #[test]
    fn escapes_cannot_change_a_path() {
        for text in ["a%2fb", "a%2Fb", "%5c", "%00", "%0a", "%7f"] {
            assert_eq!(decode_path(text), Err(InvalidEscape::Forbidden), "{text}");
        }
        assert_eq!(decode_query("%0d%0a"), Err(InvalidEscape::Forbidden));
    }

    #[test]
    fn broken_escapes_are_refused() {
        for text in ["%", "%4", "%zz", "%+1", "a%"] {
            assert_eq!(decode_query(text), Err(InvalidEscape::Malformed), "{text}");
        }
        assert_eq!(decode_query("%ff"), Err(InvalidEscape::NotText));
    }

    proptest! {
        #[test]
        fn any_text_comes_back_from_its_escapes(text in "[ -~äß€]{0,40}") {
            let escaped: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
            for escaped in [escaped, encode_query(&text)] {
                prop_assert_eq!(decode_query(&escaped).unwrap(), text.as_str());
            }
        }

        #[test]
        fn no_text_makes_the_decoder_fail(text in "(%[0-9a-fg]{0,2}|\\PC){0,20}") {
            for decoded in [decode_path(&text), decode_query(&text)].into_iter().flatten() {
                prop_assert!(decoded.len() <= text.len());
            }
        }
    }
}
