//! The repositories of the registry: `/v2/_catalog`, docker's extension that every registry has. Everybody sees those that they may read.

use axum::{
    http::{HeaderValue, header},
    response::Response,
};
use zot_contract::{Page, PageRequest};
use zot_oci::RepositoryName;

use super::paging::{self, Paging};
use crate::http::{Call, Refusal, Route, header::JSON, render::json};

/// The most pages of the registry that are looked through for one page of somebody who may see few of its repositories: at least half a million names.
const PAGES_LOOKED_THROUGH_MAX: usize = 64;

/// `GET /v2/_catalog`.
pub(crate) async fn list(call: &Call<'_>) -> Result<Response, Refusal> {
    let paging = Paging::of(call)?;
    if !call.permit.lists_everything() {
        return visible(call, &paging).await;
    }
    let page = call.registry.list_repositories(call.cx, &paging.request()).await?;
    Ok(shown(paging.entries(&page), paging.link(Route::Catalog, &page)))
}

fn shown(names: &[RepositoryName], link: Option<HeaderValue>) -> Response {
    let names = paging::list(names.iter().map(RepositoryName::as_str));
    let mut response = json(JSON, format!(r#"{{"repositories":{names}}}"#));
    if let Some(link) = link {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}

/// A page of what whoever asks may see. There is more only if they may see that too; but if they may see next to nothing of very much, the rest is
/// left to the next request, which has to name where this one stopped.
async fn visible(call: &Call<'_>, paging: &Paging) -> Result<Response, Refusal> {
    let mut request = paging.request();
    let mut seen = Page { entries: Vec::new(), more: false };
    let wanted = request.entries_max;
    for _ in 0..PAGES_LOOKED_THROUGH_MAX {
        let page = call.registry.list_repositories(call.cx, &request).await?;
        let last = page.entries.last().cloned();
        let mut names = page.entries.into_iter().filter(|name| call.permit.lists(name));
        seen.entries.extend(names.by_ref().take(wanted - seen.entries.len()));
        seen.more = names.next().is_some();
        match last.filter(|_| page.more && !seen.more) {
            // What was asked for did not suffice: most of what there is must be others'.
            Some(last) => request = PageRequest::after(last.as_str(), call.options.page_entries_max),
            None => return Ok(shown(paging.entries(&seen), paging.link(Route::Catalog, &seen))),
        }
    }
    let stopped = request.after.as_deref().and_then(|last| paging.link_after(Route::Catalog, &last));
    Ok(shown(paging.entries(&seen), stopped))
}
