//! Conditional requests (RFC 9110 section 13) on content that is addressed by its digest.

use axum::http::{HeaderMap, header};
use zot_oci::Digest;

/// Whether the client has this content already: `If-None-Match` names its entity tag, or any (`*`).
pub(crate) fn is_known(headers: &HeaderMap, digest: &Digest) -> bool {
    let mut values = headers.get_all(header::IF_NONE_MATCH).iter();
    values.any(|value| value.to_str().is_ok_and(|list| lists(list, digest)))
}

/// Whether `Range` applies: there is no `If-Range`, or it names this content's entity tag. A date never does, content has none here.
pub(crate) fn range_applies(headers: &HeaderMap, digest: &Digest) -> bool {
    let Some(value) = headers.get(header::IF_RANGE) else {
        return true;
    };
    value.to_str().is_ok_and(|tag| is_tag_of(tag, digest))
}

/// Entity tags are compared weakly here, so `W/` makes no difference.
fn lists(list: &str, digest: &Digest) -> bool {
    let mut tags = list.split(',').map(str::trim);
    tags.any(|tag| tag == "*" || is_tag_of(tag.strip_prefix("W/").unwrap_or(tag), digest))
}

fn is_tag_of(tag: &str, digest: &Digest) -> bool {
    let opaque = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
    opaque.is_some_and(|opaque| opaque.parse() == Ok(*digest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn with(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_known_tag_is_found_in_the_list() {
        let digest = Digest::sha256(b"x");
        for value in ["*", &format!("\"{digest}\""), &format!("\"a\", W/\"{digest}\"")] {
            assert!(is_known(&with(header::IF_NONE_MATCH, value), &digest), "{value}");
        }
        for value in ["", "\"a\"", &digest.to_string(), &format!("\"{}\"", Digest::sha256(b"y"))] {
            assert!(!is_known(&with(header::IF_NONE_MATCH, value), &digest), "{value}");
        }
        assert!(!is_known(&HeaderMap::new(), &digest));
    }

    #[test]
    fn a_range_applies_to_the_content_it_was_meant_for() {
        let digest = Digest::sha256(b"x");
        assert!(range_applies(&HeaderMap::new(), &digest));
        assert!(range_applies(&with(header::IF_RANGE, &format!("\"{digest}\"")), &digest));
        for value in [&format!("W/\"{digest}\""), "\"a\"", "Wed, 21 Oct 2015 07:28:00 GMT"] {
            assert!(!range_applies(&with(header::IF_RANGE, value), &digest), "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_list_makes_the_comparison_fail(text in r#"([W/"*, ]|\PC){0,30}"#) {
            let _ = lists(&text, &Digest::sha256(b"x"));
        }
    }
}
