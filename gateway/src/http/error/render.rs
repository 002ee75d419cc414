//! The body of every error: distribution-spec, "Error Codes".

use axum::{body::Body, response::Response};
use serde::{Serialize, Serializer};
use zot_contract::RequestId;

use super::{Code, Reason, Refusal};
use crate::http::header;

/// The detail that says more than the code.
const REASON: &str = "reason";

#[derive(Serialize)]
struct Errors<'a> {
    errors: [Entry<'a>; 1],
}

#[derive(Serialize)]
struct Entry<'a> {
    #[serde(serialize_with = "code")]
    code: Code,
    message: &'a str,
    #[serde(serialize_with = "map")]
    detail: Detail<'a>,
}

struct Detail<'a> {
    pairs: &'a [(&'static str, String)],
    request: &'a RequestId,
}

fn code<S: Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.as_str())
}

fn map<S: Serializer>(detail: &Detail<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    let request = ("requestId", detail.request.to_string());
    serializer.collect_map(detail.pairs.iter().chain([&request]).map(|(key, text)| (key, text)))
}

impl Reason {
    /// What a user reads: most clients show the code and the message, none shows the detail.
    fn message(&self) -> &str {
        let reason = self.detail.iter().find(|(key, _)| *key == REASON);
        reason.map_or(self.code.message(), |(_, text)| text)
    }
}

impl Refusal {
    /// The response that tells the client.
    pub(crate) fn render(self, request: &RequestId) -> Response {
        let reason = self.0;
        let entry = Entry { code: reason.code, message: reason.message(), detail: Detail { pairs: &reason.detail, request } };
        // Strings always serialise; the fallback only keeps this free of a panic.
        let body = serde_json::to_vec(&Errors { errors: [entry] }).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = reason.status;
        response.headers_mut().insert(axum::http::header::CONTENT_TYPE, header::JSON);
        response.headers_mut().extend(reason.headers);
        response
    }
}
