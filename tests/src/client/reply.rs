//! A reply as it came, and what tests ask of it.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, response::Parts};
use serde_json::Value;

/// A whole reply.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Reply {
    pub(super) fn new(head: Parts, body: Bytes) -> Self {
        Self { status: head.status, headers: head.headers, body }
    }

    /// Fails the test unless the status is `status`.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "unexpected status; headers {:?}, body {}", self.headers, self.summary());
        self
    }

    /// Fails the test unless the status is `status` and the body the specification's error with `code`.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) -> Self {
        let reply = self.expect(status);
        assert_eq!(reply.error_code(), code, "unexpected code; body {}", reply.text());
        reply
    }

    /// The header `name`, or the empty text.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a readable header"))
    }

    /// All values of the header `name`.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().expect("a readable header")).collect()
    }

    /// Where it points to.
    #[track_caller]
    pub fn location(&self) -> String {
        assert_ne!(self.header("location"), "", "no location; status {}, headers {:?}", self.status, self.headers);
        self.header("location").to_owned()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body for a message: its text if it is short and has one.
    fn summary(&self) -> String {
        match std::str::from_utf8(&self.body) {
            Ok(text) if text.len() <= 2000 => text.to_owned(),
            _ => format!("of {} bytes", self.body.len()),
        }
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in the body of {}: {}", self.status, self.text()))
    }

    /// The list of texts at `key` of the body.
    #[track_caller]
    pub fn list(&self, key: &str) -> Vec<String> {
        let entries = self.json()[key].as_array().unwrap_or_else(|| panic!("no list `{key}` in {}", self.text())).clone();
        entries.iter().map(|entry| entry.as_str().expect("a text").to_owned()).collect()
    }

    /// The code of the first error in the body, or the empty text.
    pub fn error_code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
    }
}
