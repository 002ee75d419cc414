//! All routes on one page: which method of which endpoint is answered by which handler.

use axum::{http::Method, response::Response};

use super::{
    auth::{api_keys, callback, login, logout, token},
    call::Call,
    cors,
    error::Refusal,
    health::{self, Health},
    oci::{base, blobs, catalog, manifests, referrers, tags, uploads},
    request_body::RequestBody,
    route::Route,
};

/// Answers what is asked of the process itself, whether it serves yet or not.
pub(super) fn of_process(route: &Route, method: &Method, health: &Health) -> Option<Response> {
    match (route, method) {
        (Route::Live, &Method::GET | &Method::HEAD) => Some(health::live()),
        (Route::Started, &Method::GET | &Method::HEAD) => Some(health::started(health)),
        (Route::Ready, &Method::GET | &Method::HEAD) => Some(health::ready(health)),
        _ => None,
    }
}

/// Answers one request.
pub(super) async fn dispatch(call: &Call<'_>, route: &Route, health: &Health, body: RequestBody) -> Result<Response, Refusal> {
    if let Some(response) = of_process(route, call.method(), health) {
        return Ok(response);
    }
    let mut response = match (route, call.method()) {
        (Route::Base, &Method::GET | &Method::HEAD) => base::supported(),
        (Route::Discover, &Method::GET | &Method::HEAD) => base::extensions(),
        (Route::Catalog, &Method::GET | &Method::HEAD) => catalog::list(call).await?,
        (Route::Tags { repository }, &Method::GET | &Method::HEAD) => tags::list(call, repository).await?,
        (Route::Referrers { repository, subject }, &Method::GET | &Method::HEAD) => referrers::list(call, repository, subject).await?,

        (Route::Manifest { repository, reference }, &Method::GET) => manifests::get(call, repository, reference).await?,
        (Route::Manifest { repository, reference }, &Method::HEAD) => manifests::head(call, repository, reference).await?,
        (Route::Manifest { repository, reference }, &Method::PUT) => manifests::put(call, repository, reference, body).await?,
        (Route::Manifest { repository, reference }, &Method::DELETE) => manifests::delete(call, repository, reference).await?,

        (Route::Blob { repository, digest }, &Method::GET) => blobs::get(call, repository, digest).await?,
        (Route::Blob { repository, digest }, &Method::HEAD) => blobs::head(call, repository, digest).await?,
        (Route::Blob { repository, digest }, &Method::DELETE) => blobs::delete(call, repository, digest).await?,

        (Route::Uploads { repository }, &Method::POST) => uploads::open(call, repository, body).await?,
        (Route::Upload { repository, upload }, &Method::GET | &Method::HEAD) => uploads::status(call, repository, *upload).await?,
        (Route::Upload { repository, upload }, &Method::PATCH) => uploads::append(call, repository, *upload, body).await?,
        (Route::Upload { repository, upload }, &Method::PUT) => uploads::finish(call, repository, *upload, body).await?,
        (Route::Upload { repository, upload }, &Method::DELETE) => uploads::cancel(call, repository, *upload).await?,

        (Route::Token, &Method::GET | &Method::HEAD | &Method::POST) => token::exchange(call, body).await?,
        (Route::ApiKeys, &Method::GET | &Method::HEAD) => api_keys::list(call).await?,
        (Route::ApiKeys, &Method::POST) => api_keys::make(call, body).await?,
        (Route::ApiKeys, &Method::DELETE) => api_keys::revoke(call).await?,
        (Route::Login, &Method::GET) => login::begin(call).await,
        (Route::Callback { provider }, &Method::GET) => callback::end(call, provider).await,
        (Route::Logout, &Method::POST) => logout::end(call).await?,

        (route, &Method::OPTIONS) => cors::preflight(route).ok_or_else(|| Refusal::method(route))?,
        (route, _) => return Err(Refusal::method(route)),
    };
    cors::expose(call, route, &mut response);
    Ok(response)
}
