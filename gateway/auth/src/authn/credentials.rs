//! What the `Authorization` header of a request shows (RFC 9110 section 11.6.2, RFC 7617, RFC 6750).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, header::AUTHORIZATION};
use zot_config::Secret;

/// Proof that a client offers of who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A name and a password.
    Basic {
        /// The name.
        user: String,
        /// The password, or what stands in its place.
        password: Secret,
    },
    /// A token.
    Bearer(Secret),
}

/// Credentials that cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCredentials {
    /// Which of them would count cannot be told.
    #[error("more than one authorization header")]
    Repeated,
    /// They are of a scheme that is not spoken.
    #[error("authorization is neither basic nor bearer")]
    Scheme,
    /// A name and a password were announced, but it is something else.
    #[error("basic authorization is malformed")]
    Basic,
}

impl Credentials {
    /// What the headers show; nothing also for the name and the password that are both empty, which clients send to say that they have none.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, InvalidCredentials> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(InvalidCredentials::Repeated);
        }
        let text = value.to_str().map_err(|_| InvalidCredentials::Scheme)?.trim();
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        match scheme.to_ascii_lowercase().as_str() {
            "" => Ok(None),
            "basic" => basic(rest.trim()),
            "bearer" => Ok(Some(Self::Bearer(Secret::new(rest.trim())))),
            _ => Err(InvalidCredentials::Scheme),
        }
    }
}

fn basic(encoded: &str) -> Result<Option<Credentials>, InvalidCredentials> {
    let bytes = STANDARD.decode(encoded).map_err(|_| InvalidCredentials::Basic)?;
    let text = String::from_utf8(bytes).map_err(|_| InvalidCredentials::Basic)?;
    let (user, password) = text.split_once(':').ok_or(InvalidCredentials::Basic)?;
    if user.is_empty() && password.is_empty() {
        return Ok(None);
    }
    Ok(Some(Credentials::Basic { user: user.to_owned(), password: Secret::new(password) }))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(values: &[&'static str]) -> Result<Option<Credentials>, InvalidCredentials> {
        let headers = values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_static(value))).collect();
        Credentials::of(&headers)
    }

    #[test]
    fn names_passwords_and_tokens_are_found() {
        let alice = Credentials::Basic { user: "alice".to_owned(), password: Secret::new("a:b") };
        assert_eq!(of(&["Basic YWxpY2U6YTpi"]), Ok(Some(alice.clone())));
        assert_eq!(of(&["bAsIc  YWxpY2U6YTpi "]), Ok(Some(alice)));
        assert_eq!(of(&["Bearer abc"]), Ok(Some(Credentials::Bearer(Secret::new("abc")))));
    }

    #[test]
    fn nothing_is_no_proof() {
        for values in [&[][..], &[""], &["Basic Og=="]] {
            assert_eq!(of(values), Ok(None));
        }
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        assert_eq!(of(&["Basic YWxpY2U6YTpi", "Basic YWxpY2U6YTpi"]), Err(InvalidCredentials::Repeated));
        assert_eq!(of(&["Digest username=alice"]), Err(InvalidCredentials::Scheme));
        for value in ["Basic", "Basic !!", "Basic YWxpY2U=", "Basic //8="] {
            assert_eq!(of(&[value]), Err(InvalidCredentials::Basic), "{value}");
        }
    }
}
