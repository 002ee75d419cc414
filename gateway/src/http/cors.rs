//! Cross-origin requests of browsers: who may read what is listed and pulled. Blobs and uploads are not offered to pages of other origins.

use axum::{
    http::{HeaderValue, Method, StatusCode, header, header::InvalidHeaderValue},
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

/// The origins whose pages may read what is listed and pulled (`http.allowOrigin`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// Those of any.
    Any,
    /// Those of these; with whatever the browser knows the user by.
    These(Vec<HeaderValue>),
}

impl Origins {
    /// Reads a list with commas; empty or `*` for any.
    pub fn parse(list: &str) -> Result<Self, InvalidHeaderValue> {
        let origins = list.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        let origins = origins.map(HeaderValue::from_str).collect::<Result<Vec<_>, _>>()?;
        let any = origins.is_empty() || origins.iter().any(|origin| origin == "*");
        Ok(if any { Self::Any } else { Self::These(origins) })
    }
}

/// Lets pages of the configured origins read the response, where they may send the request.
pub(super) fn expose(call: &Call<'_>, route: &Route, response: &mut Response) {
    if methods(route).is_none() || *call.method() == Method::PUT {
        return;
    }
    let headers = response.headers_mut();
    match &call.options.allow_origin {
        Origins::Any => {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        Origins::These(origins) => {
            let asked = call.headers().get(header::ORIGIN).filter(|origin| origins.contains(origin));
            if let Some(origin) = asked.or(origins.first()) {
                headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
            headers.append(header::VARY, HeaderValue::from_name(header::ORIGIN));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_a_list_and_none_is_any() {
        for any in ["", " ", "*", "https://a.example, *"] {
            assert_eq!(Origins::parse(any).unwrap(), Origins::Any, "{any:?}");
        }
        let two = ["https://a.example", "https://b.example:8443"].map(HeaderValue::from_static).to_vec();
        assert_eq!(Origins::parse(" https://a.example,https://b.example:8443 ").unwrap(), Origins::These(two));
        Origins::parse("a\nb").unwrap_err();
    }
}
