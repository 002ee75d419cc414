//! Cross-origin requests of browsers: who may read what is listed and pulled. Blobs and uploads are not offered to pages of other origins.

use axum::{
    http::{HeaderValue, Method, StatusCode, header},
    response::Response,
};

use super::{call::Call, render::empty, route::Route};

/// Headers that a page may send; zot's list, by which other tools recognise it.
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static("Authorization,content-type,X-ZOT-API-CLIENT");

/// What a page may do with an endpoint, or nothing if it may do nothing.
fn methods(route: &Route) -> Option<HeaderValue> {
    match route {
        Route::Base | Route::Catalog | Route::Discover | Route::Tags { .. } | Route::Referrers { .. } => {
            Some(HeaderValue::from_static("GET,OPTIONS"))
        }
        Route::Manifest { .. } => Some(HeaderValue::from_static("HEAD,GET,DELETE,OPTIONS")),
        Route::ApiKeys => Some(HeaderValue::from_static("GET,POST,DELETE,OPTIONS")),
        Route::Logout => Some(HeaderValue::from_static("POST,OPTIONS")),
        Route::Token => Some(HeaderValue::from_static("GET,POST,OPTIONS")),
        Route::Login | Route::Callback { .. } => None,
        Route::Blob { .. } | Route::Uploads { .. } | Route::Upload { .. } | Route::Live | Route::Ready | Route::Started => None,
    }
}

/// The answer to a browser that asks beforehand.
pub(super) fn preflight(route: &Route) -> Option<Response> {
    let methods = methods(route)?;
    let mut response = empty(StatusCode::NO_CONTENT);
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    Some(response)
}

/// Lets pages of the configured origin read the response, where they may send the request.
pub(super) fn expose(call: &Call<'_>, route: &Route, response: &mut Response) {
    if methods(route).is_some() && *call.method() != Method::PUT {
        let origin = call.options.allow_origin.clone();
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
}
