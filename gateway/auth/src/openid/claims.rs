//! From what a party says of a user to a name and groups.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use zot_config::http::auth::OpenIdClaims;

use super::{error::Failure, provider::User};

/// The claim with the name, unless the configuration says otherwise.
const EMAIL: &str = "email";
/// The claim with the groups, unless the configuration says otherwise.
const GROUPS: &str = "groups";
/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// The most groups of one user.
const GROUPS_MAX: usize = 10_000;

/// What is said of somebody.
pub(super) type Claims = Map<String, Value>;

/// Which claims become a name and groups.
#[derive(Debug, Clone)]
pub(super) struct Mapping {
    name: String,
    groups: String,
}

impl Mapping {
    pub(super) fn new(configured: Option<&OpenIdClaims>) -> Self {
        let claim =
            |named: Option<&String>, default: &str| named.filter(|name| !name.is_empty()).map_or(default, String::as_str).to_owned();
        Self {
            name: claim(configured.and_then(|claims| claims.username.as_ref()), EMAIL),
            groups: claim(configured.and_then(|claims| claims.groups.as_ref()), GROUPS),
        }
    }

    /// The user that `info` and the identity token speak of; what `info` says counts first.
    pub(super) fn user(&self, info: &Claims, token: &Claims) -> Result<User, Failure> {
        let groups: BTreeSet<String> = [info, token].iter().flat_map(|claims| strings(claims.get(&self.groups))).collect();
        if groups.len() > GROUPS_MAX {
            return Err(Failure::untrusted(format!("the user is in more than {GROUPS_MAX} groups")));
        }
        Ok(User { name: self.name(info, token)?, groups: groups.into_iter().collect() })
    }

    fn name(&self, info: &Claims, token: &Claims) -> Result<String, Failure> {
        let of = |claim: &str| [info, token].into_iter().find_map(|claims| text(claims, claim).map(|name| (name, claims)));
        let mapped = if self.name == EMAIL { None } else { of(&self.name) };
        let name = match mapped {
            Some((name, _)) => name,
            None => {
                let (email, said_in) =
                    of(EMAIL).ok_or(Failure::Nameless("it tells neither the claim that names users nor an email address"))?;
                if self.name != EMAIL {
                    tracing::warn!(claim = self.name, "the claim that names users is empty: the email address stands in for it");
                }
                let other = if std::ptr::eq(said_in, info) { token } else { info };
                if is_unverified(said_in) || text(other, EMAIL) == Some(email) && is_unverified(other) {
                    return Err(Failure::Nameless("it has not verified the email address"));
                }
                email
            }
        };
        if name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            return Err(Failure::Nameless("the name is too long, or has characters that no name has"));
        }
        Ok(name.to_owned())
    }
}

fn text<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    claims.get(name)?.as_str().filter(|text| !text.trim().is_empty())
}

/// Whether it is said that the address is not verified. Some parties write booleans as text.
fn is_unverified(claims: &Claims) -> bool {
    match claims.get("email_verified") {
        Some(Value::Bool(verified)) => !verified,
        Some(Value::String(text)) => !text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

/// A claim as a list: one value may stand for itself.
fn strings(claim: Option<&Value>) -> Vec<String> {
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    match claim {
        Some(Value::Array(values)) => values.iter().filter_map(one).filter(|text| !text.is_empty()).collect(),
        Some(value) => one(value).into_iter().filter(|text| !text.is_empty()).collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        let Value::Object(claims) = value else { panic!("{value}") };
        claims
    }

    fn user(name: Option<&str>, info: Value, token: Value) -> Result<User, String> {
        let mapping = Mapping::new(Some(&OpenIdClaims { username: name.map(str::to_owned), groups: None }));
        mapping.user(&claims(info), &claims(token)).map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn the_mapped_claim_names_the_user_and_email_stands_in() {
        let info = json!({"email": "a@example.org", "preferred_username": "alice", "custom": "al", "name": ""});
        for (claim, name) in [
            (None, "a@example.org"),
            (Some("email"), "a@example.org"),
            (Some("preferred_username"), "alice"),
            (Some("custom"), "al"),
            (Some("name"), "a@example.org"),
            (Some("absent"), "a@example.org"),
        ] {
            assert_eq!(user(claim, info.clone(), json!({})).unwrap().name, name, "{claim:?}");
        }
        assert_eq!(user(Some("sub"), json!({}), json!({"sub": "42"})).unwrap().name, "42");
    }

    #[test]
    fn an_address_that_nobody_verified_is_no_name() {
        for verified in [json!(false), json!("false"), json!("")] {
            let info = json!({"email": "a@example.org", "email_verified": verified, "sub": "42"});
            assert!(user(None, info.clone(), json!({})).unwrap_err().contains("not verified"), "{info}");
            assert!(user(None, json!({}), info.clone()).unwrap_err().contains("not verified"), "{info}");
            assert!(user(None, json!({"email": "a@example.org"}), info.clone()).is_err(), "{info}");
            assert_eq!(user(Some("sub"), info, json!({})).unwrap().name, "42", "it does not count for another name");
        }
        for verified in [json!(true), json!("true"), json!(null)] {
            assert!(user(None, json!({"email": "a@example.org", "email_verified": verified}), json!({})).is_ok());
        }
    }

    #[test]
    fn who_has_no_name_is_nobody() {
        for info in [json!({}), json!({"email": ""}), json!({"email": 5}), json!({"email": "a\r\nb"}), json!({"email": "a".repeat(300)})] {
            assert!(user(None, info.clone(), json!({})).is_err(), "{info}");
        }
    }

    #[test]
    fn groups_are_those_of_both_sorted_and_once() {
        let both = user(None, json!({"email": "a", "groups": ["b", "a", 5, {"x": 1}, ""]}), json!({"groups": "c"})).unwrap();
        assert_eq!(both.groups, ["5", "a", "b", "c"]);
        let many: Vec<_> = (0..=GROUPS_MAX).collect();
        assert!(user(None, json!({"email": "a", "groups": many}), json!({})).is_err());
    }
}
