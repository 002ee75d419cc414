//! The repositories of the registry: `/v2/_catalog`, docker's extension that every registry has.

use axum::{http::header, response::Response};

use super::paging::{self, Paging};
use crate::http::{Call, Refusal, Route, header::JSON, render::json};

/// `GET /v2/_catalog`.
pub(crate) async fn list(call: &Call<'_>) -> Result<Response, Refusal> {
    let paging = Paging::of(call)?;
    let page = call.registry.list_repositories(call.cx, &paging.request()).await?;
    let names = paging::list(paging.entries(&page).iter().map(|name| name.as_str()));
    let mut response = json(JSON, format!(r#"{{"repositories":{names}}}"#));
    if let Some(link) = paging.link(Route::Catalog, &page) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}
