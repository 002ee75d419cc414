//! Where a request is within a trace that spans processes.

use std::{fmt, str::FromStr, sync::Arc};

/// A `traceparent` as W3C Trace Context has it (section 3.2), passed on as it came.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TraceParent(Arc<str>);

/// The text is no `traceparent` of a known form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a traceparent such as 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
pub struct InvalidTraceParent;

impl TraceParent {
    /// As it is written in the header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TraceParent {
    type Err = InvalidTraceParent;

    fn from_str(text: &str) -> Result<Self, InvalidTraceParent> {
        let fields: Vec<&str> = text.split('-').collect();
        let [version, trace, parent, flags] = fields.as_slice() else {
            return Err(InvalidTraceParent);
        };
        let valid = *version == "00" && is_id(trace, 32) && is_id(parent, 16) && is_hex(flags, 2);
        if valid { Ok(Self(text.into())) } else { Err(InvalidTraceParent) }
    }
}

/// Identifiers of zeros alone are invalid.
fn is_id(text: &str, digits: usize) -> bool {
    is_hex(text, digits) && text.bytes().any(|byte| byte != b'0')
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_the_specification_allows_is_passed_on() {
        let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(valid.parse::<TraceParent>().unwrap().as_str(), valid);
        let wrong = [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e473\n-00f067aa0ba902b7-01",
        ];
        for text in wrong {
            assert_eq!(text.parse::<TraceParent>(), Err(InvalidTraceParent), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_identifiers_are_passed_on_as_they_came(trace in 1..=u128::MAX, parent in 1..=u64::MAX, flags in any::<u8>()) {
            let text = format!("00-{trace:032x}-{parent:016x}-{flags:02x}");
            prop_assert_eq!(text.parse::<TraceParent>().map(|read| read.to_string()), Ok(text));
        }

        #[test]
        fn nothing_but_a_traceparent_is_passed_on(
            text in prop_oneof![any::<String>(), Just(format!("00-{:032x}-{:016x}-01", 1, 1))],
            place in any::<prop::sample::Index>(),
            put_in in "[0-9a-gA-F\\- \n\0é]{0,2}",
        ) {
            let place = place.index(text.chars().count() + 1);
            let edited: String = text.chars().take(place).chain(put_in.chars()).chain(text.chars().skip(place + 1)).collect();
            if let Ok(read) = edited.parse::<TraceParent>() {
                prop_assert_eq!(read.as_str(), &edited);
                prop_assert_eq!(edited.split('-').map(str::len).collect::<Vec<_>>(), [2, 32, 16, 2]);
                prop_assert!(edited.bytes().all(|byte| b"-0123456789abcdef".contains(&byte)), "{edited}");
            }
        }
    }
}
