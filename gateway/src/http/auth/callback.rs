//! `GET /zot/auth/callback/<provider>`: where a browser comes back from logging in.

use axum::{http::StatusCode, response::Response};

use super::{login::redirect, page};
use crate::http::{call::Call, error::LoginTrouble};

/// Ends a login: 201 where the browser has no place to go to.
pub(crate) async fn end(call: &Call<'_>, provider: &str) -> Response {
    match call.access.end_login(provider, call.head.uri.query(), call.headers()).await {
        Ok((session, told)) => {
            tracing::info!(request = %call.cx.request, user = session.user, provider, "{} logged in at {provider}", session.user);
            redirect(told.location, told.cookies, StatusCode::CREATED)
        }
        Err(error) => page::trouble(&LoginTrouble::logged(&error, &call.cx.request), &call.cx.request),
    }
}
