//! The URL of a Redis server: what stands in its parts and its query, as keys of the section it stands in.

use std::borrow::Cow;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use url::Url;

use super::Redis;
use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::Found;
use crate::setting::secret::Secret;
use crate::setting::section::{Keys, Section};

/// The keys that are times; in a URL a bare number of them is seconds.
const TIMES: [&str; 8] = [
    "min_retry_backoff",
    "max_retry_backoff",
    "dial_timeout",
    "read_timeout",
    "write_timeout",
    "pool_timeout",
    "conn_max_idle_time",
    "conn_max_lifetime",
];

/// What a URL begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// `redis://`
    Redis,
    /// `rediss://`: with TLS.
    Rediss,
    /// `unix://` and a path.
    Unix(PathBuf),
}

/// The keys of `beside` with those of the URL on top; `None` after a problem. Messages never show the text, which may hold a password.
pub(super) fn merge(text: &str, beside: &Redis, path: &KeyPath, report: &Report) -> Option<(Redis, Scheme)> {
    let refuse = |message: &str| {
        report.problem(&path.key("url"), message);
        None
    };
    let Ok(url) = Url::parse(&with_host(text)) else { return refuse("is not a URL such as `redis://host:6379`") };
    let scheme = match url.scheme() {
        "redis" => Scheme::Redis,
        "rediss" => Scheme::Rediss,
        "unix" if url.path().len() > 1 => Scheme::Unix(PathBuf::from(decode(url.path())?.as_ref())),
        _ => return refuse("must begin with `redis://`, `rediss://` or `unix:///`"),
    };
    let mut settings = query(&url, beside, path, report)?;
    if !matches!(scheme, Scheme::Unix(_)) {
        let Some(host) = url.host_str() else { return refuse("names no host") };
        let address = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        settings.addresses.insert(0, address);
        match url.path().trim_matches('/') {
            "" => {}
            number => match number.parse() {
                Ok(number) => settings.database = number,
                Err(_) => return refuse("the path must be the number of a database"),
            },
        }
    }
    let Some(()) = log_in(&url, &mut settings) else { return refuse("user and password must be UTF-8 where they are percent-encoded") };
    Some((settings, scheme))
}

/// A socket has no host, but users and passwords are only read before one.
fn with_host(text: &str) -> Cow<'_, str> {
    match text.strip_prefix("unix://").and_then(|rest| rest.split_once("@/")) {
        Some((login, path)) if !login.contains('/') => format!("unix://{login}@localhost/{path}").into(),
        _ => text.into(),
    }
}

fn log_in(url: &Url, settings: &mut Redis) -> Option<()> {
    if !url.username().is_empty() {
        settings.username = Some(decode(url.username())?.into_owned());
    }
    if let Some(password) = url.password().filter(|password| !password.is_empty()) {
        settings.password = Some(Secret::new(decode(password)?));
    }
    Some(())
}

fn decode(text: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(text).decode_utf8().ok()
}

/// Reads the query as if it stood in the section. Its addresses are in addition to the URL's own, and replace those beside it.
fn query(url: &Url, beside: &Redis, path: &KeyPath, report: &Report) -> Option<Redis> {
    let mut object = Map::new();
    for (key, value) in url.query_pairs() {
        let entry = object.entry(key.as_ref()).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(values) = entry {
            values.push(Value::String(with_unit(&key, &value)));
        }
    }
    for (_, value) in object.iter_mut().filter(|(key, _)| *key != "addr") {
        // Given twice, the last one counts.
        *value = value.as_array_mut().and_then(Vec::pop).unwrap_or_default();
    }
    let (value, path) = (Value::Object(object), path.key("url"));
    let mut section = Section::open(&Found { value: &value, path: &path, report })?;
    let defaults = Redis { addresses: Vec::new(), ..beside.clone() };
    let settings = Redis::take(&mut section, defaults);
    section.finish();
    Some(Redis { url: beside.url.clone(), ..settings })
}

fn with_unit(key: &str, value: &str) -> String {
    let bare = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    if bare && TIMES.contains(&key) { format!("{value}s") } else { value.to_owned() }
}
