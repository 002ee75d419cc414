//! Cookies that a browser is told to keep or forget along with whatever it is answered.

use axum::{
    http::{HeaderValue, header},
    response::Response,
};

use crate::http::error::Refusal;

/// Adds cookies to an answer, be it a refusal.
pub(crate) fn with_cookies(answered: Result<Response, Refusal>, cookies: Vec<HeaderValue>) -> Result<Response, Refusal> {
    match answered {
        Ok(mut response) => {
            set(&mut response, cookies);
            Ok(response)
        }
        Err(refusal) => Err(cookies.into_iter().fold(refusal, |refusal, cookie| refusal.header(header::SET_COOKIE, cookie))),
    }
}

/// Adds cookies to a response.
pub(super) fn set(response: &mut Response, cookies: Vec<HeaderValue>) {
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}
