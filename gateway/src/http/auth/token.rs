//! `/zot/auth/token`: where clients that log in with an identity token get the token that they then show (distribution, "Token Authentication").

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use serde::Serialize;
use zot_auth::authn::{
    Credentials,
    bearer::{Exchange, FormOrOther, TokenEndpoint},
};
use zot_config::Secret;
use zot_oci::ErrorCode;

use crate::http::{
    call::Call,
    error::Refusal,
    header::{JSON, value},
    query::Query,
    render,
    request_body::RequestBody,
};

/// The largest form, in bytes: it holds one token and what it is asked for.
const FORM_BYTES_MAX: u64 = 64 * 1024;
/// The fields of a form that may hold a token, in the order in which they are looked at.
const FIELDS: [&str; 5] = ["password", "id_token", "access_token", "refresh_token", "token"];

#[derive(Serialize)]
struct Answer<'a> {
    token: &'a str,
    access_token: &'a str,
    expires_in: u64,
    issued_at: String,
}

/// Hands out a token for what the request shows.
pub(crate) async fn exchange(call: &Call<'_>, body: RequestBody) -> Result<Response, Refusal> {
    let endpoint = call.permit.access.token_endpoint().ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, ErrorCode::Unsupported))?;
    let mut response = answer(call, endpoint, body).await.map_err(|refusal| refusal.header(header::PRAGMA, NO_CACHE))?;
    response.headers_mut().insert(header::PRAGMA, NO_CACHE);
    Ok(response)
}

const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

async fn answer(call: &Call<'_>, endpoint: &TokenEndpoint, body: RequestBody) -> Result<Response, Refusal> {
    let body = read(call.headers(), body).await?;
    let candidates = candidates(call.headers(), &body)?;
    match endpoint.exchange(&candidates).await {
        Exchange::Token { token, expires_in_seconds, issued_at } => {
            let issued_at = humantime::format_rfc3339_seconds(issued_at).to_string();
            let answer = Answer { token: token.reveal(), access_token: token.reveal(), expires_in: expires_in_seconds, issued_at };
            // Strings and numbers always serialise; the fallback only keeps this free of a panic.
            Ok(render::json(JSON, serde_json::to_vec(&answer).unwrap_or_default()))
        }
        Exchange::Refused => Err(refused(endpoint)),
        Exchange::Unavailable(source) => Err(Refusal::authentication_unavailable("the provider of identity tokens", source)),
        Exchange::Foreign => match endpoint.upstream() {
            None => Err(refused(endpoint)),
            Some(upstream) => {
                let answered = upstream.forward(call.method(), call.head.uri.query(), call.headers(), body).await;
                answered.map(|response| response.map(Body::from)).map_err(|error| {
                    tracing::warn!(request = %call.cx.request, error = %zot_runtime::telemetry::chain(&error), "could not get a token elsewhere");
                    Refusal::new(StatusCode::BAD_GATEWAY, ErrorCode::Unsupported).detail("reason", "the token service gave no answer")
                })
            }
        },
    }
}

async fn read(headers: &HeaderMap, body: RequestBody) -> Result<FormOrOther, Refusal> {
    let bytes = body.collect(FORM_BYTES_MAX).await.map_err(|refusal| {
        let too_large = refusal.status() == StatusCode::PAYLOAD_TOO_LARGE;
        if too_large { Refusal::form_too_large(FORM_BYTES_MAX) } else { refusal }
    })?;
    Ok(if is_form(headers) { FormOrOther::Form(bytes) } else { FormOrOther::Other(bytes) })
}

fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// What may be a token, in the order in which it is looked at.
fn candidates(headers: &HeaderMap, body: &FormOrOther) -> Result<Vec<Secret>, Refusal> {
    let mut candidates = Vec::new();
    if let Some(Credentials::Basic { password, .. }) = Credentials::of(headers).map_err(zot_auth::authn::Rejected::from)? {
        candidates.push(password);
    }
    if let FormOrOther::Form(form) = body {
        let malformed = |reason: &dyn ToString| Refusal::bad_request(ErrorCode::Unsupported, reason.to_string());
        let form = std::str::from_utf8(form).map_err(|error| malformed(&error))?;
        let form = Query::parse(Some(form)).map_err(|error| malformed(&error))?;
        for field in FIELDS {
            candidates.extend(form.all(field).filter(|token| !token.is_empty()).map(Secret::new));
        }
    }
    Ok(candidates)
}

fn refused(endpoint: &TokenEndpoint) -> Refusal {
    let realm = endpoint.realm().replace('\\', "\\\\").replace('"', "\\\"");
    Refusal::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized)
        .detail("reason", "no identity token that is good here")
        .header(header::WWW_AUTHENTICATE, value(format!("Basic realm=\"{realm}\"")))
}
