//! `GET /zot/auth/login`: sends a browser to where its user logs in.

use axum::{
    http::{StatusCode, header},
    response::Response,
};

use super::{cookies, page};
use crate::http::{call::Call, error::LoginTrouble, header::value, render::empty};

/// Begins a login.
pub(crate) async fn begin(call: &Call<'_>) -> Response {
    match call.access.begin_login(call.head.uri.query()).await {
        Ok(told) => redirect(told.location, told.cookies, StatusCode::OK),
        Err(error) => page::trouble(&LoginTrouble::logged(&error, &call.cx.request), &call.cx.request),
    }
}

/// Sends a browser on; where there is no place to go to, the answer is `otherwise`.
pub(super) fn redirect(location: Option<String>, cookies: Vec<axum::http::HeaderValue>, otherwise: StatusCode) -> Response {
    let mut response = empty(if location.is_some() { StatusCode::FOUND } else { otherwise });
    if let Some(location) = location {
        response.headers_mut().insert(header::LOCATION, value(location));
    }
    cookies::set(&mut response, cookies);
    response
}
