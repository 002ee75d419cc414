//! The API keys of a user (`/zot/auth/apikey`): made, listed and revoked by nobody but the user, and not with a key.

use axum::{
    http::{StatusCode, header},
    response::Response,
};
use serde::Serialize;
use zot_auth::{
    Method, Rights,
    api_keys::{ApiKeys, KeyDescription, KeyWish},
    now_unix_ms,
};
use zot_contract::UserName;
use zot_oci::ErrorCode;

use crate::http::{
    Call, Refusal, RequestBody,
    header::JSON,
    render::{empty, response},
    route::Unroutable,
};

/// The largest body of a request for a key, in bytes; zot's limit.
const BODY_BYTES_MAX: u64 = 8 << 10;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    api_keys: Vec<KeyDescription>,
}

/// `POST /zot/auth/apikey`: the only time that the key itself is told.
pub(crate) async fn make(call: &Call<'_>, body: RequestBody) -> Result<Response, Refusal> {
    let (keys, user) = keys_of_user(call)?;
    let body = body.collect(BODY_BYTES_MAX).await.map_err(too_large)?;
    let wish = KeyWish::read(&body, now_unix_ms()).map_err(|reason| Refusal::bad_request(ErrorCode::Unsupported, reason))?;
    let user_agent = call.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (key, secret) = keys.make(&user, wish, user_agent).await?;
    Ok(told(StatusCode::CREATED, &KeyDescription::of(&key, now_unix_ms()).with_secret(&secret)))
}

/// `GET /zot/auth/apikey`.
pub(crate) async fn list(call: &Call<'_>) -> Result<Response, Refusal> {
    let (keys, user) = keys_of_user(call)?;
    Ok(told(StatusCode::OK, &Listed { api_keys: keys.list(&user).await? }))
}

/// `DELETE /zot/auth/apikey?id=…`.
pub(crate) async fn revoke(call: &Call<'_>) -> Result<Response, Refusal> {
    let (keys, user) = keys_of_user(call)?;
    let query = call.query()?;
    let id = query.one("id")?.filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| Refusal::bad_request(ErrorCode::Unsupported, "parameter `id` is missing"))?;
    if keys.revoke(&user, id).await? {
        return Ok(empty(StatusCode::OK));
    }
    Err(Refusal::new(StatusCode::NOT_FOUND, ErrorCode::Unsupported).detail("reason", "there is no such API key"))
}

/// The keys, and the user whose keys may be managed with what the request shows: a key or a token must not make what outlives it.
fn keys_of_user<'a>(call: &Call<'a>) -> Result<(&'a ApiKeys, UserName), Refusal> {
    let keys = call.permit.access.api_keys().ok_or_else(|| Refusal::unroutable(Unroutable::Unknown, call.method()))?;
    if call.permit.who.is_anonymous() {
        let reason = "API keys belong to a user";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized).detail("reason", reason));
    }
    let denied = |reason: &str| Refusal::new(StatusCode::FORBIDDEN, ErrorCode::Denied).detail("reason", reason);
    let is_of_user = matches!(call.permit.who.method, Method::Htpasswd | Method::Ldap | Method::Session | Method::Certificate);
    if !is_of_user || !matches!(call.permit.who.rights, Rights::OfUser) {
        return Err(denied("API keys are managed with a password, a session or a certificate, not with a key or a token"));
    }
    let user = call.permit.who.user().and_then(|name| name.parse().ok());
    Ok((keys, user.ok_or_else(|| denied("a user of this name can have no API keys"))?))
}

fn too_large(refusal: Refusal) -> Refusal {
    if refusal.status() != StatusCode::PAYLOAD_TOO_LARGE {
        return refusal;
    }
    let reason = format_args!("body is larger than {BODY_BYTES_MAX} bytes");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::SizeInvalid).detail("reason", reason)
}

fn told(status: StatusCode, what: &impl Serialize) -> Response {
    // Texts always serialise; the fallback only keeps this free of a panic.
    let mut response = response(status, serde_json::to_vec(what).unwrap_or_default());
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}
