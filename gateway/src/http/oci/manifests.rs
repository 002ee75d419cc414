//! Manifests and the tags that point to them (end-3, end-7, end-9).

use axum::{
    http::{StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use zot_contract::{Error, ManifestInfo, ManifestPush};
use zot_oci::{Digest, ErrorCode, MediaType, Reference, RepositoryName, Tag, media_types};

use crate::http::{
    Call, Refusal, RequestBody, Route, condition,
    header::{self as headers, OCI_SUBJECT, OCI_TAG},
    render::{created, empty, identify, json, not_modified},
};

/// The most `tag` parameters of one request, counting repetitions; zot's limit.
const TAGS_MAX: usize = 46;
/// Larger manifests are hashed on a thread that may block: it takes more than half a millisecond.
const HASHED_INLINE_BYTES_MAX: usize = 512 * 1024;

/// `GET /v2/<name>/manifests/<reference>`. `Accept` is not consulted: there is one representation, and a client that cannot use it is told
/// so by its type.
pub(crate) async fn get(call: &Call<'_>, repository: &RepositoryName, reference: &Reference) -> Result<Response, Refusal> {
    if call.headers().contains_key(header::IF_NONE_MATCH) {
        let info = call.registry.stat_manifest(call.cx, repository, reference).await?;
        if condition::is_known(call.headers(), &info.digest) {
            return Ok(not_modified(&info.digest));
        }
    }
    let manifest = call.registry.get_manifest(call.cx, repository, reference).await?;
    Ok(described(&manifest.info, manifest.bytes))
}

/// `HEAD /v2/<name>/manifests/<reference>`.
pub(crate) async fn head(call: &Call<'_>, repository: &RepositoryName, reference: &Reference) -> Result<Response, Refusal> {
    let info = call.registry.stat_manifest(call.cx, repository, reference).await?;
    if condition::is_known(call.headers(), &info.digest) {
        return Ok(not_modified(&info.digest));
    }
    let mut response = described(&info, Bytes::new());
    response.headers_mut().insert(header::CONTENT_LENGTH, info.size.into());
    Ok(response)
}

fn described(info: &ManifestInfo, bytes: Bytes) -> Response {
    let mut response = json(headers::media_type(&info.media_type), bytes);
    identify(response.headers_mut(), &info.digest);
    response
}

/// `PUT /v2/<name>/manifests/<reference>`, by digest with any number of `?tag=`.
pub(crate) async fn put(
    call: &Call<'_>,
    repository: &RepositoryName,
    reference: &Reference,
    body: RequestBody,
) -> Result<Response, Refusal> {
    let media_type = media_type(call)?;
    let extra_tags = extra_tags(call, reference)?;
    let tags = match reference {
        Reference::Tag(tag) => vec![tag.clone()],
        Reference::Digest(_) => extra_tags.clone(),
    };
    let tags = call.permit.pushes(repository, reference, tags)?;
    let bytes = body.collect(call.options.manifest_bytes_max).await?;
    let digest = match reference {
        Reference::Tag(_) => digest_of(bytes.clone()).await?,
        Reference::Digest(digest) => *digest,
    };
    let push = ManifestPush { digest, tags, media_type, bytes };
    let pushed = call.registry.put_manifest(call.cx, repository, push).await.map_err(|error| call.permit.told(error.into()))?;
    Ok(accepted(repository, digest, pushed.subject, &extra_tags))
}

fn accepted(repository: &RepositoryName, digest: Digest, subject: Option<Digest>, tags: &[Tag]) -> Response {
    let place = Route::Manifest { repository: repository.clone(), reference: digest.into() };
    let mut response = created(&place, &digest);
    if let Some(subject) = subject {
        response.headers_mut().insert(OCI_SUBJECT, headers::digest(&subject));
    }
    for tag in tags {
        response.headers_mut().append(OCI_TAG, headers::value(tag.to_string()));
    }
    response
}

/// `DELETE /v2/<name>/manifests/<reference>`: by tag the tag alone, by digest the manifest with all its tags.
pub(crate) async fn delete(call: &Call<'_>, repository: &RepositoryName, reference: &Reference) -> Result<Response, Refusal> {
    let collisions = call.permit.collisions(repository);
    call.registry.delete_manifest(call.cx, repository, reference, collisions).await?;
    Ok(empty(StatusCode::ACCEPTED))
}

/// The type that the manifest is sent as; docker's only where they are allowed.
fn media_type(call: &Call<'_>) -> Result<MediaType, Refusal> {
    let text = call.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let text = text.unwrap_or_default();
    let media_type: MediaType = text.parse().map_err(|_| Refusal::manifest_type(text))?;
    let oci = [media_types::OCI_MANIFEST, media_types::OCI_INDEX];
    let docker = [media_types::DOCKER_MANIFEST, media_types::DOCKER_MANIFEST_LIST];
    if oci.contains(&media_type) || (call.options.docker_schema_2 && docker.contains(&media_type)) {
        Ok(media_type)
    } else {
        Err(Refusal::manifest_type(text))
    }
}

/// The tags in the query, each once, in order.
fn extra_tags(call: &Call<'_>, reference: &Reference) -> Result<Vec<Tag>, Refusal> {
    let query = call.query()?;
    let invalid = |reason: &dyn ToString| Refusal::bad_request(ErrorCode::ManifestInvalid, reason.to_string());
    if query.all("tag").count() > TAGS_MAX {
        return Err(Refusal::too_many_tags(TAGS_MAX));
    }
    let mut tags: Vec<Tag> = Vec::new();
    for tag in query.all("tag") {
        let tag = tag.parse().map_err(|reason| invalid(&reason))?;
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    if !tags.is_empty() && matches!(reference, Reference::Tag(_)) {
        return Err(invalid(&"parameter `tag` goes with a digest, not with a tag in the path"));
    }
    Ok(tags)
}

async fn digest_of(bytes: Bytes) -> Result<Digest, Error> {
    if bytes.len() <= HASHED_INLINE_BYTES_MAX {
        return Ok(Digest::sha256(&bytes));
    }
    let hashed = tokio::task::spawn_blocking(move || Digest::sha256(&bytes));
    hashed.await.map_err(Error::internal)
}
