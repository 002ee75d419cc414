//! What refers to a manifest: signatures, attestations, bills of materials (end-12).

use axum::{
    http::{HeaderValue, header},
    response::Response,
};
use serde::Serialize;
use zot_contract::{Error, Page, PageRequest, ReferrersPage};
use zot_oci::{Descriptor, Digest, RepositoryName};

use super::paging::Paging;
use crate::http::{
    Call, Refusal, Route,
    header::{OCI_FILTERS_APPLIED, OCI_INDEX},
    render::json,
};

/// The parameter that filters, as `OCI-Filters-Applied` names it too.
const FILTER: &str = "artifactType";
/// The most pages of the registry that are looked through for one page of those of a type: 160,000 referrers, or 64 MiB of them.
const PAGES_LOOKED_THROUGH_MAX: usize = 16;

/// An image index, as the specification asks for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u32,
    media_type: &'static str,
    manifests: &'a [Descriptor],
}

/// `GET /v2/<name>/referrers/<digest>`; those of any of the given `artifactType`s.
pub(crate) async fn list(call: &Call<'_>, repository: &RepositoryName, subject: &Digest) -> Result<Response, Refusal> {
    let query = call.query()?;
    let wanted: Vec<&str> = query.all(FILTER).filter(|wanted| !wanted.is_empty()).collect();
    let paging = Paging::of(call)?.filtered(FILTER, &wanted);
    let PageRequest { after, entries_max } = paging.request();
    let request = PageRequest { after: after.map(|after| after.parse()).transpose()?, entries_max };
    let listed = match wanted.is_empty() {
        true => all(call, repository, subject, &request).await?,
        false => of_types(call, repository, subject, request, &wanted).await?,
    };
    let index = Index { schema_version: 2, media_type: "application/vnd.oci.image.index.v1+json", manifests: paging.entries(&listed.page) };
    let mut response = json(OCI_INDEX, serde_json::to_vec(&index).map_err(Error::internal)?);
    if !wanted.is_empty() {
        response.headers_mut().insert(OCI_FILTERS_APPLIED, HeaderValue::from_static(FILTER));
    }
    let route = Route::Referrers { repository: repository.clone(), subject: *subject };
    if let Some(link) = listed.next_after.and_then(|last| paging.link_after(route, &last)) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// A page, and after which referrer the next one starts, if there is one.
struct Listed {
    page: Page<Descriptor>,
    next_after: Option<Digest>,
}

async fn all(call: &Call<'_>, repository: &RepositoryName, subject: &Digest, request: &PageRequest<Digest>) -> Result<Listed, Refusal> {
    let page = call.registry.list_referrers(call.cx, repository, subject, request).await?;
    let next_after = page.entries.last().filter(|_| page.more).map(|last| last.digest);
    Ok(Listed { page, next_after })
}

/// A page of those of any of the types `wanted`. If next to nothing of very much is, the rest is left to the next request.
async fn of_types(
    call: &Call<'_>,
    repository: &RepositoryName,
    subject: &Digest,
    mut request: PageRequest<Digest>,
    wanted: &[&str],
) -> Result<Listed, Refusal> {
    let mut gathered = ReferrersPage::new(request.entries_max);
    request.entries_max = call.options.page_entries_max;
    for _ in 0..PAGES_LOOKED_THROUGH_MAX {
        let page = call.registry.list_referrers(call.cx, repository, subject, &request).await?;
        for entry in page.entries {
            let digest = entry.digest;
            let is_wanted = entry.artifact_type.as_deref().is_some_and(|found| wanted.contains(&found));
            if is_wanted && !gathered.take(entry) {
                return Ok(Listed { page: gathered.done(), next_after: request.after });
            }
            request.after = Some(digest);
        }
        if !page.more {
            return Ok(Listed { page: gathered.done(), next_after: None });
        }
    }
    Ok(Listed { page: gathered.done(), next_after: request.after })
}
