//! What must never be read in a log: the values of secret headers, fields and query parameters.

use std::borrow::Cow;

/// Written instead of a secret, as zot does.
pub(super) const MASK: &str = "******";

/// A parameter is secret if its name holds one of these, ignoring case, `_` and `-`.
const SECRET_PARTS: [&str; 12] = [
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "signature",
    "credential",
    "apikey",
    "accesskey",
    "session",
    "assertion",
    "authorization",
];

/// A parameter is secret if it has one of these names: those of OAuth 2.0 (RFC 6749, RFC 7636) and of signed addresses.
const SECRET_NAMES: [&str; 10] = ["code", "state", "sig", "key", "auth", "jwt", "pass", "pwd", "nonce", "codeverifier"];

/// A header is secret if its name ends like this: `Set-Cookie`, `X-Api-Key`, `X-Amz-Security-Token`, `X-Registry-Auth`.
const SECRET_HEADER_ENDS: [&str; 12] = [
    "authorization",
    "cookie",
    "cookie2",
    "token",
    "secret",
    "password",
    "key",
    "auth",
    "session",
    "credentials",
    "assertion",
    "signature",
];

/// Whether a header's value is a secret.
pub(super) fn is_secret_header(name: &str) -> bool {
    // X-Registry-Config is docker's: the credentials of several registries at once.
    name.eq_ignore_ascii_case("x-registry-config") || SECRET_HEADER_ENDS.iter().any(|end| ends_with(name, end))
}

/// Whether the value of an event's or span's field is a secret.
pub(super) fn is_secret_field(name: &str) -> bool {
    matches!(
        name,
        "token"
            | "access_token"
            | "refresh_token"
            | "id_token"
            | "password"
            | "secret"
            | "client_secret"
            | "secret_key"
            | "access_key"
            | "api_key"
            | "authorization"
            | "cookie"
            | "credentials"
    )
}

/// Masks the secret-looking parameters in the query and fragment of a request target or address.
///
/// ```
/// let target = zot_runtime::telemetry::masked_target("/callback?state=s1&n=10");
/// assert_eq!(target, "/callback?state=******&n=10");
/// ```
pub fn masked_target(target: &str) -> Cow<'_, str> {
    let Some(start) = target.find(['?', '#']) else {
        return Cow::Borrowed(target);
    };
    let (path, query) = target.split_at(start);
    if !parameters(query).any(is_secret_parameter) {
        return Cow::Borrowed(target);
    }
    let mut masked = String::with_capacity(target.len());
    masked.push_str(path);
    parameters(query).for_each(|parameter| push_masked(&mut masked, parameter));
    Cow::Owned(masked)
}

/// The parameters of a query, each with the separator that ends it.
fn parameters(query: &str) -> impl Iterator<Item = &str> {
    query.split_inclusive(['?', '#', '&', ';'])
}

fn push_masked(masked: &mut String, parameter: &str) {
    if !is_secret_parameter(parameter) {
        return masked.push_str(parameter);
    }
    let name = parameter.split('=').next().unwrap_or_default();
    masked.push_str(name);
    masked.push('=');
    masked.push_str(MASK);
    if let Some(separator) = parameter.chars().next_back().filter(|last| ['?', '#', '&', ';'].contains(last)) {
        masked.push(separator);
    }
}

fn is_secret_parameter(parameter: &str) -> bool {
    let Some((name, _)) = parameter.split_once('=') else { return false };
    let name = normalised(name);
    SECRET_NAMES.contains(&name.as_str()) || SECRET_PARTS.iter().any(|part| name.contains(part))
}

/// The name as a server reads it: percent-decoded, in lower case, without `_`, `-`, and what is not ASCII.
fn normalised(name: &str) -> String {
    let mut rest = name.as_bytes();
    let mut plain = String::with_capacity(rest.len());
    while let Some((&first, after)) = rest.split_first() {
        let (byte, after) = match (first, after) {
            (b'%', [high, low, after @ ..]) => (hex_pair(*high, *low), after),
            _ => (first, after),
        };
        rest = after;
        if byte.is_ascii() && byte != b'_' && byte != b'-' {
            plain.push(char::from(byte.to_ascii_lowercase()));
        }
    }
    plain
}

/// The byte two hexadecimal digits stand for; NUL, which no name has, for anything else.
fn hex_pair(high: u8, low: u8) -> u8 {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    digit(high).zip(digit(low)).map_or(0, |(high, low)| high << 4 | low)
}

fn ends_with(name: &str, end: &str) -> bool {
    let start = name.len().checked_sub(end.len());
    start.and_then(|start| name.as_bytes().get(start..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_parameters_are_masked_and_the_others_stay() {
        for (target, expected) in [
            ("/v2/", "/v2/"),
            ("/v2/a/blobs/uploads/?mount=sha256:1&from=b", "/v2/a/blobs/uploads/?mount=sha256:1&from=b"),
            ("/v2/_catalog?n=10&last=token", "/v2/_catalog?n=10&last=token"),
            ("/cb?code=abc&state=def", "/cb?code=******&state=******"),
            ("/t?access_token=a=b;n=1", "/t?access_token=******;n=1"),
            ("/t?Client-Secret=x&a", "/t?Client-Secret=******&a"),
            ("/t?%74oken=x", "/t?%74oken=******"),
            ("/t?a=1?password=x", "/t?a=1?password=******"),
            ("https://h/p?X-Amz-Signature=x#id_token=y", "https://h/p?X-Amz-Signature=******#id_token=******"),
            ("/t?token", "/t?token"),
            ("/t?=x&%zz=1&%", "/t?=x&%zz=1&%"),
        ] {
            assert_eq!(masked_target(target), expected, "{target}");
        }
    }

    #[test]
    fn headers_that_carry_credentials_are_secret() {
        for name in [
            "Authorization",
            "authorization",
            "Cookie",
            "Set-Cookie",
            "Proxy-Authorization",
            "X-Registry-Auth",
            "X-Registry-Config",
            "X-Api-Key",
            "X-Amz-Security-Token",
            "X-Forwarded-Access-Token",
        ] {
            assert!(is_secret_header(name), "{name}");
        }
        for name in ["Accept", "User-Agent", "Host", "WWW-Authenticate", "Docker-Content-Digest", "X-Request-Id", "Range"] {
            assert!(!is_secret_header(name), "{name}");
        }
    }
}
