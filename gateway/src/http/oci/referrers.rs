//! What refers to a manifest: signatures, attestations, bills of materials (end-12).

use axum::{http::HeaderValue, response::Response};
use serde::Serialize;
use zot_contract::Error;
use zot_oci::{Descriptor, Digest, RepositoryName};

use crate::http::{
    Call, Refusal,
    header::{OCI_FILTERS_APPLIED, OCI_INDEX},
    render::json,
};

/// An image index, as the specification asks for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    media_type: &'static str,
    manifests: Vec<Descriptor>,
}

/// `GET /v2/<name>/referrers/<digest>`; those of any of the given `artifactType`s.
pub(crate) async fn list(call: &Call<'_>, repository: &RepositoryName, subject: &Digest) -> Result<Response, Refusal> {
    let query = call.query()?;
    let wanted: Vec<&str> = query.all("artifactType").filter(|wanted| !wanted.is_empty()).collect();
    let mut manifests = call.registry.list_referrers(call.cx, repository, subject).await?;
    if !wanted.is_empty() {
        manifests.retain(|manifest| manifest.artifact_type.as_deref().is_some_and(|found| wanted.contains(&found)));
    }
    let index = Index { schema_version: 2, media_type: "application/vnd.oci.image.index.v1+json", manifests };
    let mut response = json(OCI_INDEX, serde_json::to_vec(&index).map_err(Error::internal)?);
    if !wanted.is_empty() {
        const FILTER: HeaderValue = HeaderValue::from_static("artifactType");
        response.headers_mut().insert(OCI_FILTERS_APPLIED, FILTER);
    }
    Ok(response)
}
