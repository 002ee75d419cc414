//! Users, on the wire.

use zot_contract::{ApiKey, FoundUser, Revision, UserRecord};

use super::{Malformed, parse, required};
use crate::v1;

impl From<&UserRecord> for v1::UserRecord {
    fn from(record: &UserRecord) -> Self {
        Self {
            groups: record.groups.clone(),
            api_keys: record.api_keys.iter().map(v1::ApiKey::from).collect(),
            starred: record.starred.iter().map(ToString::to_string).collect(),
            bookmarked: record.bookmarked.iter().map(ToString::to_string).collect(),
            sessions_valid_from_unix_ms: record.sessions_valid_from_unix_ms,
        }
    }
}

impl TryFrom<v1::UserRecord> for UserRecord {
    type Error = Malformed;

    fn try_from(wire: v1::UserRecord) -> Result<Self, Malformed> {
        let names = |names: Vec<String>| names.iter().map(|name| parse("repository", name)).collect::<Result<_, _>>();
        Ok(Self {
            groups: wire.groups,
            api_keys: wire.api_keys.into_iter().map(ApiKey::try_from).collect::<Result<_, _>>()?,
            starred: names(wire.starred)?,
            bookmarked: names(wire.bookmarked)?,
            sessions_valid_from_unix_ms: wire.sessions_valid_from_unix_ms,
        })
    }
}

impl From<&ApiKey> for v1::ApiKey {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id.to_string(),
            label: key.label.clone(),
            secret_sha256: key.secret_sha256.to_vec().into(),
            scopes: key.scopes.clone(),
            created_unix_ms: key.created_unix_ms,
            expires_unix_ms: key.expires_unix_ms,
            last_used_unix_ms: key.last_used_unix_ms,
            user_agent: key.user_agent.clone(),
        }
    }
}

impl TryFrom<v1::ApiKey> for ApiKey {
    type Error = Malformed;

    fn try_from(wire: v1::ApiKey) -> Result<Self, Malformed> {
        let hash = wire.secret_sha256.as_ref().try_into();
        Ok(Self {
            id: parse("id of an API key", &wire.id)?,
            label: wire.label,
            secret_sha256: hash.map_err(|source| Malformed::Invalid { field: "hash of an API key", source: Box::new(source) })?,
            scopes: wire.scopes,
            created_unix_ms: wire.created_unix_ms,
            expires_unix_ms: wire.expires_unix_ms,
            last_used_unix_ms: wire.last_used_unix_ms,
            user_agent: wire.user_agent,
        })
    }
}

impl From<&FoundUser> for v1::FoundUser {
    fn from(found: &FoundUser) -> Self {
        Self { revision: found.revision.0, record: Some((&found.record).into()) }
    }
}

impl TryFrom<v1::FoundUser> for FoundUser {
    type Error = Malformed;

    fn try_from(wire: v1::FoundUser) -> Result<Self, Malformed> {
        Ok(Self { revision: Revision(wire.revision), record: required("record", wire.record)? })
    }
}
