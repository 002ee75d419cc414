//! The tags of a repository (end-8).

use axum::{http::header, response::Response};
use zot_oci::RepositoryName;

use super::paging::{self, Paging};
use crate::http::{Call, Refusal, Route, header::JSON, render::json};

/// `GET /v2/<name>/tags/list`.
pub(crate) async fn list(call: &Call<'_>, repository: &RepositoryName) -> Result<Response, Refusal> {
    let paging = Paging::of(call)?;
    let page = call.registry.list_tags(call.cx, repository, &paging.request()).await?;
    let tags = paging::list(paging.entries(&page).iter().map(|tag| tag.as_str()));
    let mut response = json(JSON, format!(r#"{{"name":"{repository}","tags":{tags}}}"#));
    let repository = repository.clone();
    if let Some(link) = paging.link(Route::Tags { repository }, &page) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}
