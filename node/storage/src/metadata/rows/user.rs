//! Rows of users.

use prost::Message;
use uuid::Uuid;
use zot_contract::{ApiKey, UserRecord};

use crate::{Error, Result, metadata::Key};

/// Row of [`Key::User`].
#[derive(Clone, PartialEq, Message)]
pub(crate) struct UserRow {
    #[prost(string, repeated, tag = "1")]
    groups: Vec<String>,
    #[prost(message, repeated, tag = "2")]
    api_keys: Vec<ApiKeyField>,
    #[prost(string, repeated, tag = "3")]
    starred: Vec<String>,
    #[prost(string, repeated, tag = "4")]
    bookmarked: Vec<String>,
    #[prost(uint64, tag = "5")]
    sessions_valid_from_unix_ms: u64,
}

/// An API key within a row.
#[derive(Clone, PartialEq, Message)]
struct ApiKeyField {
    #[prost(bytes = "vec", tag = "1")]
    id: Vec<u8>,
    #[prost(string, tag = "2")]
    label: String,
    #[prost(bytes = "vec", tag = "3")]
    secret_sha256: Vec<u8>,
    #[prost(string, repeated, tag = "4")]
    scopes: Vec<String>,
    #[prost(uint64, tag = "5")]
    created_unix_ms: u64,
    #[prost(uint64, optional, tag = "6")]
    expires_unix_ms: Option<u64>,
    #[prost(uint64, optional, tag = "7")]
    last_used_unix_ms: Option<u64>,
    #[prost(string, tag = "8")]
    user_agent: String,
}

impl From<&UserRecord> for UserRow {
    fn from(record: &UserRecord) -> Self {
        Self {
            groups: record.groups.clone(),
            api_keys: record.api_keys.iter().map(ApiKeyField::from).collect(),
            starred: record.starred.iter().map(ToString::to_string).collect(),
            bookmarked: record.bookmarked.iter().map(ToString::to_string).collect(),
            sessions_valid_from_unix_ms: record.sessions_valid_from_unix_ms,
        }
    }
}

impl From<&ApiKey> for ApiKeyField {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id.into_bytes().to_vec(),
            label: key.label.clone(),
            secret_sha256: key.secret_sha256.to_vec(),
            scopes: key.scopes.clone(),
            created_unix_ms: key.created_unix_ms,
            expires_unix_ms: key.expires_unix_ms,
            last_used_unix_ms: key.last_used_unix_ms,
            user_agent: key.user_agent.clone(),
        }
    }
}

/// What the row of `key` says.
pub(crate) fn record(row: UserRow, key: &Key) -> Result<UserRecord> {
    let damaged = |reason: &'static str| Error::damaged(format!("row of {key:?}"), reason);
    let names = |names: Vec<String>| names.iter().map(|name| name.parse()).collect::<std::result::Result<_, _>>();
    let api_key = |field| api_key(field).ok_or_else(|| damaged("it has an API key without an identity or a hash"));
    Ok(UserRecord {
        groups: row.groups,
        api_keys: row.api_keys.into_iter().map(api_key).collect::<Result<_>>()?,
        starred: names(row.starred).map_err(|_| damaged("it has a star for what is no repository"))?,
        bookmarked: names(row.bookmarked).map_err(|_| damaged("it has a bookmark for what is no repository"))?,
        sessions_valid_from_unix_ms: row.sessions_valid_from_unix_ms,
    })
}

fn api_key(field: ApiKeyField) -> Option<ApiKey> {
    Some(ApiKey {
        id: Uuid::from_slice(&field.id).ok()?,
        label: field.label,
        secret_sha256: field.secret_sha256.try_into().ok()?,
        scopes: field.scopes,
        created_unix_ms: field.created_unix_ms,
        expires_unix_ms: field.expires_unix_ms,
        last_used_unix_ms: field.last_used_unix_ms,
        user_agent: field.user_agent,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zot_contract::USER_RECORD_BYTES_MAX;

    use super::*;

    #[test]
    fn a_row_takes_no_more_than_its_record_is_said_to() {
        let largest = ApiKey {
            id: Uuid::max(),
            label: String::new(),
            secret_sha256: [255; 32],
            scopes: vec![String::new(); 3],
            created_unix_ms: u64::MAX,
            expires_unix_ms: Some(u64::MAX),
            last_used_unix_ms: Some(u64::MAX),
            user_agent: "x".to_owned(),
        };
        let mut record = UserRecord { groups: vec!["g".to_owned()], starred: vec!["a".parse().unwrap()], ..UserRecord::default() };
        while record.size_bytes() < USER_RECORD_BYTES_MAX {
            assert!(UserRow::from(&record).encoded_len() <= record.size_bytes());
            record.api_keys.push(largest.clone());
        }
    }

    #[test]
    fn a_key_without_a_hash_is_damage() {
        let key = Key::User("alice".parse().unwrap());
        let row = UserRow { api_keys: vec![ApiKeyField::default()], ..UserRow::default() };
        assert!(record(row, &key).is_err());
        let row = UserRow { starred: vec!["../a".to_owned()], ..UserRow::default() };
        assert!(record(row, &key).is_err());
    }

    fn any_texts() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec(any::<String>(), 0..3)
    }

    fn any_api_key() -> impl Strategy<Value = ApiKey> {
        let times = (any::<u64>(), any::<Option<u64>>(), any::<Option<u64>>());
        (any::<u128>(), any::<String>(), any::<[u8; 32]>(), any_texts(), times, any::<String>()).prop_map(
            |(id, label, secret_sha256, scopes, (created_unix_ms, expires_unix_ms, last_used_unix_ms), user_agent)| ApiKey {
                id: Uuid::from_u128(id),
                label,
                secret_sha256,
                scopes,
                created_unix_ms,
                expires_unix_ms,
                last_used_unix_ms,
                user_agent,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            groups in any_texts(),
            api_keys in prop::collection::vec(any_api_key(), 0..3),
            names in prop::collection::vec("[a-z]{1,5}(/[a-z]{1,5})?", 0..3),
            sessions_valid_from_unix_ms in any::<u64>(),
        ) {
            let starred: Vec<_> = names.iter().map(|name| name.parse().unwrap()).collect();
            let bookmarked = starred.iter().rev().cloned().collect();
            let written = UserRecord { groups, api_keys, starred, bookmarked, sessions_valid_from_unix_ms };
            let row = UserRow::decode(UserRow::from(&written).encode_to_vec().as_slice()).unwrap();
            prop_assert_eq!(record(row, &Key::User("alice".parse().unwrap())).unwrap(), written);
        }
    }
}
