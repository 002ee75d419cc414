//! What came back.

use axum::http::{HeaderMap, response::Parts};
use bytes::Bytes;

/// A response with its whole body.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn new(head: Parts, body: Bytes) -> Self {
        Self { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// A header's value, empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The code of the one error in the body.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        let json = self.json();
        assert_eq!(json["errors"].as_array().map(Vec::len), Some(1), "{json}");
        json["errors"][0]["code"].as_str().unwrap().to_owned()
    }

    /// The status and the code of the error.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status, self.code())
    }
}
