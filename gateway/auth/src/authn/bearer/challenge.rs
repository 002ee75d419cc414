//! What tells a client where to get a token, and for what (RFC 6750 section 3; distribution, "Token Authentication").

use std::fmt::{self, Display, Write as _};

use zot_config::http::auth::Bearer;

/// Where tokens for this registry are to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BearerChallenge {
    realm: String,
    service: Option<String>,
}

/// What a token has to be good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenScope {
    /// The list of repositories.
    Catalog,
    /// Some actions on a repository, in the words of the protocol: `pull`, `push`, `delete`.
    Repository {
        /// The repository.
        name: String,
        /// The actions.
        actions: Vec<&'static str>,
    },
}

/// What is wrong with the token that was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenError {
    /// It is not good, or not any more.
    Invalid,
    /// It is good, but not for this.
    InsufficientScope,
}

/// What was asked for, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// What a token has to be good for: all of these.
    pub scopes: Vec<TokenScope>,
    /// What is wrong with the token that was shown, if one was.
    pub error: Option<TokenError>,
}

impl BearerChallenge {
    /// That of the configuration, if it says where tokens are to be had.
    pub fn configured(bearer: &Bearer) -> Option<Self> {
        Some(Self { realm: bearer.realm.clone()?, service: bearer.service.clone() })
    }

    /// The value of a `WWW-Authenticate` header.
    pub fn header(&self, asked: &Asked) -> String {
        let mut text = format!("Bearer realm={}", Quoted(&self.realm));
        let mut add = |name: &str, value: &str| {
            // Writing to a string cannot fail.
            let _ = write!(text, ",{name}={}", Quoted(value));
        };
        if let Some(service) = &self.service {
            add("service", service);
        }
        if !asked.scopes.is_empty() {
            add("scope", &asked.scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
        }
        match asked.error {
            Some(TokenError::Invalid) => add("error", "invalid_token"),
            Some(TokenError::InsufficientScope) => add("error", "insufficient_scope"),
            None => {}
        }
        text
    }
}

impl Display for TokenScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Catalog => f.write_str("registry:catalog:*"),
            Self::Repository { name, actions } => write!(f, "repository:{name}:{}", actions.join(",")),
        }
    }
}

/// Text as a quoted string (RFC 9110 section 5.6.4). What no header may hold is left out.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars().filter(|c| !c.is_control()) {
            if matches!(c, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge() -> BearerChallenge {
        BearerChallenge { realm: "https://auth.example.com/token".to_owned(), service: Some("zot".to_owned()) }
    }

    #[test]
    fn it_says_where_and_for_what() {
        assert_eq!(challenge().header(&Asked::default()), r#"Bearer realm="https://auth.example.com/token",service="zot""#);
        let push = TokenScope::Repository { name: "a/b".to_owned(), actions: vec!["pull", "push"] };
        let mount = TokenScope::Repository { name: "c".to_owned(), actions: vec!["pull"] };
        let asked = Asked { scopes: vec![push, mount], error: Some(TokenError::InsufficientScope) };
        let expected = r#",scope="repository:a/b:pull,push repository:c:pull",error="insufficient_scope""#;
        assert!(challenge().header(&asked).ends_with(expected));
        let asked = Asked { scopes: vec![TokenScope::Catalog], error: Some(TokenError::Invalid) };
        assert!(challenge().header(&asked).ends_with(r#",scope="registry:catalog:*",error="invalid_token""#));
    }

    #[test]
    fn no_configuration_breaks_out_of_it() {
        let challenge = BearerChallenge { realm: "a\"b\\c\r\nd".to_owned(), service: None };
        assert_eq!(challenge.header(&Asked::default()), r#"Bearer realm="a\"b\\cd""#);
    }
}
