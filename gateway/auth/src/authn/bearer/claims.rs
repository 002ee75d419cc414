//! What a token claims (RFC 7519 section 4).

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{
    Deserialize,
    de::{Deserializer, Error as _, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use super::{CLOCK_SKEW_SECONDS_MAX, jwt::InvalidToken};

/// The members of a JSON object. One that is there twice would be read differently by different readers: such an object is none.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    /// Reads an object.
    pub(super) fn parse(json: &[u8]) -> Result<Self, InvalidToken> {
        serde_json::from_slice(json).map_err(|_| InvalidToken::Malformed)
    }

    /// A member.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A member that is text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// All of them as a value.
    pub(super) fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    /// Who the token is for; nobody if it does not say so well.
    pub(super) fn audiences(&self) -> Vec<&str> {
        match self.get("aud") {
            Some(Value::String(audience)) => vec![audience],
            Some(Value::Array(audiences)) => audiences.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// A time, in seconds since 1970.
    fn time(&self, name: &'static str) -> Result<Option<f64>, InvalidToken> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or(InvalidToken::Claim(name)),
        }
    }

    /// For how many seconds after `now` the token is good.
    pub(super) fn seconds_left(&self, now: f64) -> u64 {
        let expiry = self.time("exp").ok().flatten().unwrap_or(now);
        (expiry - now).max(0.0) as u64
    }

    /// Whether the token is of use at `now`, in seconds since 1970. One that never ends would be good for whoever finds it: it is of no use.
    pub(super) fn check_times(&self, now: f64) -> Result<(), InvalidToken> {
        let expiry = self.time("exp")?.ok_or(InvalidToken::Claim("exp"))?;
        if expiry + CLOCK_SKEW_SECONDS_MAX <= now {
            return Err(InvalidToken::Expired);
        }
        let begins = [self.time("nbf")?, self.time("iat")?];
        if begins.into_iter().flatten().any(|begin| begin > now + CLOCK_SKEW_SECONDS_MAX) {
            return Err(InvalidToken::NotYet);
        }
        Ok(())
    }

    /// Whether the token is for one of `wanted`.
    pub(super) fn check_audience<'w>(&self, wanted: impl IntoIterator<Item = &'w str>) -> Result<(), InvalidToken> {
        let audiences = self.audiences();
        if wanted.into_iter().any(|name| audiences.contains(&name)) { Ok(()) } else { Err(InvalidToken::Audience) }
    }

    /// Whether the token is from `wanted`.
    pub(super) fn check_issuer(&self, wanted: &str) -> Result<(), InvalidToken> {
        if self.text("iss") == Some(wanted) { Ok(()) } else { Err(InvalidToken::Issuer) }
    }
}

/// Seconds since 1970.
pub(super) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Claims;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut found: A) -> Result<Claims, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = found.next_entry::<String, Value>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is there twice"));
            }
        }
        Ok(Claims(members))
    }
}
