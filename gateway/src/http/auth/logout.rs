//! `POST /zot/auth/logout`: ends a session on all gateways; with `everywhere=true`, all sessions of its user.

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use serde::Serialize;
use zot_auth::sessions::{StoreError, is_from_pages};
use zot_contract::Error;
use zot_oci::ErrorCode;

use super::cookies;
use crate::http::{call::Call, error::Refusal, error::STORE_RETRY_AFTER, header::JSON, query::Query, render::json};

/// Whether all sessions of the user end, `true` or `false`.
const EVERYWHERE: &str = "everywhere";

#[derive(Serialize)]
struct LoggedOut {
    /// Where the browser goes to log out at the other party.
    #[serde(rename = "endSessionUrl", skip_serializing_if = "Option::is_none")]
    end_session_url: Option<String>,
}

/// Ends the session that the request shows, if any. A page of another origin cannot make a browser do this.
pub(crate) async fn end(call: &Call<'_>) -> Result<Response, Refusal> {
    if !is_from_pages(call.headers()) && !is_from_own_origin(call) {
        let reason = "logging out needs the header `X-ZOT-API-CLIENT: zot-ui`, or a page of the registry's own origin";
        return Err(Refusal::new(StatusCode::FORBIDDEN, ErrorCode::Denied).detail("reason", reason));
    }
    let told = if is_everywhere(call.head.uri.query())? {
        call.access.log_out_everywhere(call.headers()).await.map_err(unavailable)?.ok_or_else(|| {
            let reason = "logging out everywhere needs a session: it ends all of that session's user";
            let refusal = Refusal::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized).detail("reason", reason);
            call.permit.challenge.on(refusal, None)
        })?
    } else {
        call.access.log_out(call.headers()).await.map_err(unavailable)?
    };
    // A place and braces always serialise; the fallback only keeps this free of a panic.
    let body = serde_json::to_vec(&LoggedOut { end_session_url: told.location }).unwrap_or_default();
    let mut response = json(JSON, body);
    cookies::set(&mut response, told.cookies);
    Ok(response)
}

fn is_everywhere(query: Option<&str>) -> Result<bool, Refusal> {
    match Query::parse(query)?.one(EVERYWHERE)? {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Refusal::bad_request(ErrorCode::Unsupported, "parameter `everywhere` must be `true` or `false`")),
    }
}

fn unavailable(error: StoreError) -> Error {
    Error::Unavailable { what: "the store of sessions", retry_after: STORE_RETRY_AFTER, source: error.into() }
}

fn is_from_own_origin(call: &Call<'_>) -> bool {
    text(call.headers(), &header::ORIGIN).is_some_and(|origin| call.access.is_own_origin(origin))
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
