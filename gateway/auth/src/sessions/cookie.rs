//! Cookies: what browsers send, and what they are told to keep (RFC 6265).

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header::COOKIE};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands in the value of a cookie as it is (RFC 6265 section 4.1.1, and less).
const VALUE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'@').remove(b'/').remove(b':').remove(b'+').remove(b'!');
/// The most cookies of a request that are looked at.
const COOKIES_MAX: usize = 200;

const NOTHING: HeaderValue = HeaderValue::from_static("");

/// The value of the cookie of that name. Where there are several, which of them was set here cannot be told: then there is none.
pub(crate) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = all(headers).filter(|(found, _)| *found == name).map(|(_, value)| value);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// Whether there is a cookie of that name.
pub(crate) fn has(headers: &HeaderMap, name: &str) -> bool {
    all(headers).any(|(found, _)| found == name)
}

fn all(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.take(COOKIES_MAX)
}

/// A cookie to be kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cookie<'a> {
    /// What it is called.
    pub(crate) name: &'a str,
    /// Its value, of any characters.
    pub(crate) value: &'a str,
    /// Below which path it is sent.
    pub(crate) path: &'a str,
    /// For how long it is kept.
    pub(crate) life: Duration,
    /// Whether it is sent over TLS only.
    pub(crate) secure: bool,
    /// Whether it is hidden from the pages' own programs.
    pub(crate) hidden: bool,
}

impl Cookie<'_> {
    /// As a `Set-Cookie` header.
    pub(crate) fn set(&self) -> HeaderValue {
        let value = utf8_percent_encode(self.value, VALUE);
        self.header(&format!("{value}; Path={}; Max-Age={}", self.path, self.life.as_secs()))
    }

    /// As a `Set-Cookie` header that makes the browser forget it.
    pub(crate) fn clear(&self) -> HeaderValue {
        self.header(&format!("; Path={}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT", self.path))
    }

    fn header(&self, rest: &str) -> HeaderValue {
        let hidden = if self.hidden { "; HttpOnly" } else { "" };
        let secure = if self.secure { "; Secure" } else { "" };
        HeaderValue::try_from(format!("{}={rest}{hidden}; SameSite=Lax{secure}", self.name)).unwrap_or(NOTHING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_static(line))).collect()
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        assert_eq!(find(&headers(&["a=1; session=x=y;b=2"]), "session"), Some("x=y"));
        assert_eq!(find(&headers(&["a=1", "session=2"]), "session"), Some("2"));
        assert_eq!(find(&headers(&["xsession=1; Session=2; session"]), "session"), None);
    }

    #[test]
    fn of_two_with_one_name_neither_counts() {
        let two = headers(&["session=1; session=2"]);
        assert_eq!((find(&two, "session"), has(&two, "session")), (None, true));
    }

    #[test]
    fn a_value_cannot_break_out() {
        let cookie =
            Cookie { name: "user", value: "a;b\r\nX: y, \"ü\"", path: "/", life: Duration::from_secs(5), secure: true, hidden: false };
        let text = cookie.set();
        assert_eq!(text.to_str().unwrap(), "user=a%3Bb%0D%0AX:%20y%2C%20%22%C3%BC%22; Path=/; Max-Age=5; SameSite=Lax; Secure");
        let cookie = Cookie { value: "alice@example.org", secure: false, hidden: true, ..cookie };
        assert_eq!(cookie.set().to_str().unwrap(), "user=alice@example.org; Path=/; Max-Age=5; HttpOnly; SameSite=Lax");
    }
}
