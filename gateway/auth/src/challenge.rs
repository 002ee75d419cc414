//! What somebody is told who has to say who they are: the `WWW-Authenticate` of a 401 (RFC 9110 section 11.6.1).

use http::HeaderValue;
use zot_config::http::Http;

/// The realm of a registry that has no name.
const REALM: &str = "Authorization Required";

/// The ways of saying it that are offered.
#[derive(Debug, Clone, Default)]
pub struct Challenges {
    /// With a name and a password, in this realm.
    pub basic: Option<String>,
    /// With a token.
    pub bearer: Option<BearerChallenge>,
}

/// Where tokens come from.
#[derive(Debug, Clone)]
pub struct BearerChallenge {
    /// The URL of whoever issues them.
    pub realm: String,
    /// The name of this registry there.
    pub service: Option<String>,
}

/// What is wrong with a token that was shown (RFC 6750 section 3.1). Who shows none is told of no error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenError {
    /// It is expired, malformed, of somebody else, or was never issued.
    Invalid,
    /// It is good for less than what is asked for.
    InsufficientScope,
}

impl TokenError {
    fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
        }
    }
}

impl Challenges {
    /// What a configuration offers, where passwords are known or not. A token service is offered as soon as the configuration names one.
    pub fn configured(http: &Http, passwords: bool) -> Self {
        let realm = Some(&http.realm).filter(|realm| !realm.is_empty()).map_or(REALM, String::as_str);
        let bearer = http.auth.bearer.as_ref().and_then(|bearer| {
            let realm = bearer.realm.clone().filter(|realm| !realm.is_empty())?;
            Some(BearerChallenge { realm, service: bearer.service.clone().filter(|service| !service.is_empty()) })
        });
        Self { basic: passwords.then(|| realm.to_owned()), bearer }
    }

    /// Whether there is any way.
    pub fn are_any(&self) -> bool {
        self.basic.is_some() || self.bearer.is_some()
    }

    /// The values of the header, where a token needs `scope`, and one that was shown has an `error`. There is always one, as the status demands it.
    pub fn values(&self, scope: &str, error: Option<TokenError>) -> Vec<HeaderValue> {
        let bearer = self.bearer.as_ref().map(|bearer| bearer.value(scope, error));
        let basic = self.basic.as_deref().or_else(|| bearer.is_none().then_some(REALM));
        let basic = basic.map(|realm| format!("Basic realm={}", quoted(realm)));
        bearer.into_iter().chain(basic).filter_map(|value| HeaderValue::try_from(value).ok()).collect()
    }
}

impl BearerChallenge {
    /// As the token protocol of docker's registry has it.
    fn value(&self, scope: &str, error: Option<TokenError>) -> String {
        let mut value = format!("Bearer realm={}", quoted(&self.realm));
        let (service, error) = (self.service.as_deref().unwrap_or_default(), error.map_or("", TokenError::as_str));
        for (name, text) in [("service", service), ("scope", scope), ("error", error)] {
            if !text.is_empty() {
                value += &format!(",{name}={}", quoted(text));
            }
        }
        value
    }
}

/// A quoted string (RFC 9110 section 5.6.4).
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_that_is_offered_is_told() {
        let bearer = BearerChallenge { realm: "https://auth/token".to_owned(), service: Some("zot".to_owned()) };
        let both = Challenges { basic: Some("a \"b\"".to_owned()), bearer: Some(bearer) };
        assert_eq!(
            both.values("repository:a:pull,push", None),
            [r#"Bearer realm="https://auth/token",service="zot",scope="repository:a:pull,push""#, r#"Basic realm="a \"b\"""#,]
        );
        let wrong = both.values("repository:a:pull", Some(TokenError::InsufficientScope));
        assert_eq!(wrong[0], r#"Bearer realm="https://auth/token",service="zot",scope="repository:a:pull",error="insufficient_scope""#);
        assert_eq!(wrong[1], both.values("", None)[1], "a password has no such errors");
        assert_eq!(
            both.values("", Some(TokenError::Invalid))[0],
            r#"Bearer realm="https://auth/token",service="zot",error="invalid_token""#
        );
        assert_eq!(Challenges { basic: None, ..both }.values("", None), [r#"Bearer realm="https://auth/token",service="zot""#]);
        assert_eq!(Challenges::default().values("x", Some(TokenError::Invalid)), [r#"Basic realm="Authorization Required""#]);
    }
}
