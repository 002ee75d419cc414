//! What a user asks for who makes a key, and what is told of the keys that there are: the JSON of zot.

use serde::{Deserialize, Serialize};
use zot_config::Secret;
use zot_contract::ApiKey;

use super::{
    date,
    scope::{self, InvalidScope},
};

/// A key that somebody wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyWish {
    /// What it shall be called.
    pub label: String,
    /// What it shall be good for; empty for all that its owner may do.
    pub scopes: Vec<String>,
    /// From when on it shall be good for nothing, in milliseconds since the Unix epoch.
    pub expires_unix_ms: Option<u64>,
}

/// What was asked for cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum InvalidWish {
    /// It is no JSON of the right form.
    #[error("body is not a JSON object with `label`, `scopes` and `expirationDate`")]
    Json(#[source] serde_json::Error),
    /// When the key should expire cannot be understood.
    #[error("`expirationDate` is a time of neither RFC 3339 nor RFC 1123")]
    Date,
    /// The key would be good for nothing from the start.
    #[error("`expirationDate` is in the past")]
    Past,
    /// What it should be good for cannot be understood.
    #[error(transparent)]
    Scope(#[from] InvalidScope),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    label: Option<String>,
    scopes: Option<Vec<String>>,
    expiration_date: Option<String>,
}

impl KeyWish {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// It asks for nothing that can be made.
    pub fn read(body: &[u8], now_unix_ms: u64) -> Result<Self, InvalidWish> {
        let written: Written = serde_json::from_slice(body).map_err(InvalidWish::Json)?;
        let scopes = written.scopes.unwrap_or_default();
        scopes.iter().try_for_each(|text| scope::parse(text).map(drop))?;
        let expires = written.expiration_date.filter(|text| !text.is_empty());
        let expires_unix_ms = expires.map(|text| date::parse(&text).ok_or(InvalidWish::Date)).transpose()?;
        if expires_unix_ms.is_some_and(|expires| expires <= now_unix_ms) {
            return Err(InvalidWish::Past);
        }
        Ok(Self { label: written.label.unwrap_or_default(), scopes, expires_unix_ms })
    }
}

/// What is told of a key.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyDescription {
    created_at: String,
    expiration_date: String,
    is_expired: bool,
    creator_ua: String,
    generated_by: &'static str,
    last_used: String,
    label: String,
    scopes: Option<Vec<String>>,
    uuid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
}

impl KeyDescription {
    /// What is told of `key` at a time.
    pub fn of(key: &ApiKey, now_unix_ms: u64) -> Self {
        Self {
            created_at: date::show(Some(key.created_unix_ms)),
            expiration_date: date::show(key.expires_unix_ms),
            is_expired: is_expired(key, now_unix_ms),
            creator_ua: key.user_agent.clone(),
            generated_by: "manual",
            last_used: date::show(key.last_used_unix_ms),
            label: key.label.clone(),
            scopes: (!key.scopes.is_empty()).then(|| key.scopes.clone()),
            uuid: key.id.to_string(),
            api_key: None,
        }
    }

    /// The same with the key itself, which is told once.
    #[must_use]
    pub fn with_secret(self, secret: &Secret) -> Self {
        Self { api_key: Some(secret.reveal().to_owned()), ..self }
    }
}

pub(super) fn is_expired(key: &ApiKey, now_unix_ms: u64) -> bool {
    key.expires_unix_ms.is_some_and(|expires| expires <= now_unix_ms)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_wish_is_read() {
        let body = br#"{"label": "ci", "scopes": ["a/**:read"], "expirationDate": "2030-01-02T03:04:05Z", "more": 1}"#;
        let wish = KeyWish::read(body, 0).unwrap();
        assert_eq!((wish.label.as_str(), wish.expires_unix_ms), ("ci", Some(1_893_553_445_000)));
        for body in ["{}", r#"{"label": null, "scopes": null, "expirationDate": ""}"#] {
            assert_eq!(KeyWish::read(body.as_bytes(), 0).unwrap(), KeyWish::default());
        }
    }

    #[test]
    fn what_cannot_be_made_is_refused() {
        for body in [
            "",
            "[]x",
            r#"{"label": 1}"#,
            r#"{"scopes": "a"}"#,
            r#"{"scopes": ["a:write"]}"#,
            r#"{"scopes": [""]}"#,
            r#"{"expirationDate": "tomorrow"}"#,
            r#"{"expirationDate": "2020-01-01T00:00:00Z"}"#,
        ] {
            assert!(KeyWish::read(body.as_bytes(), 1_700_000_000_000).is_err(), "{body}");
        }
    }

    #[test]
    fn a_key_is_described_as_zot_does_it() {
        let key = ApiKey {
            id: Uuid::nil(),
            label: "ci".to_owned(),
            secret_sha256: [1; 32],
            scopes: Vec::new(),
            created_unix_ms: 1_893_553_445_000,
            expires_unix_ms: None,
            last_used_unix_ms: None,
            user_agent: "curl".to_owned(),
        };
        let mut expected = json!({
            "createdAt": "2030-01-02T03:04:05Z", "expirationDate": "0001-01-01T00:00:00Z", "isExpired": false, "creatorUa": "curl",
            "generatedBy": "manual", "lastUsed": "0001-01-01T00:00:00Z", "label": "ci", "scopes": null, "uuid": Uuid::nil().to_string(),
        });
        assert_eq!(serde_json::to_value(KeyDescription::of(&key, 0)).unwrap(), expected);
        expected["apiKey"] = "zak_1".into();
        assert_eq!(serde_json::to_value(KeyDescription::of(&key, 0).with_secret(&Secret::new("zak_1"))).unwrap(), expected);
    }
}
