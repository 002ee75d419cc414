//! Lists for another process.

use futures::{StreamExt as _, stream};
use prost::Message as _;
use tonic::{Request, Response};
use zot_contract::Page;
use zot_oci::Descriptor;

use super::{Answers, Served};
use crate::{
    PIECE_BYTES_MAX,
    convert::{parse, required},
    status::{Answer, refusal},
    v1::{self, catalog_service_server::CatalogService},
};

#[tonic::async_trait]
impl CatalogService for Served {
    type ListReferrersStream = Answers<v1::ReferrersPart>;

    async fn list_repositories(&self, request: Request<v1::ListRepositoriesRequest>) -> Answer<v1::Page> {
        let asked = request.into_inner();
        let (cx, page) = (required("context", asked.context)?, required("page", asked.page)?);
        let page = self.registry.list_repositories(&cx, &page).await.map_err(|error| refusal(&error))?;
        Ok(Response::new(page.into()))
    }

    async fn list_tags(&self, request: Request<v1::ListTagsRequest>) -> Answer<v1::Page> {
        let asked = request.into_inner();
        let repository = parse("repository", &asked.repository)?;
        let (cx, page) = (required("context", asked.context)?, required("page", asked.page)?);
        let page = self.registry.list_tags(&cx, &repository, &page).await.map_err(|error| refusal(&error))?;
        Ok(Response::new(page.into()))
    }

    async fn list_referrers(&self, request: Request<v1::ListReferrersRequest>) -> Answer<Self::ListReferrersStream> {
        let asked = request.into_inner();
        let (repository, subject) = (parse("repository", &asked.repository)?, parse("subject", &asked.subject)?);
        let (cx, page) = (required("context", asked.context)?, required("page", asked.page)?);
        let page = self.registry.list_referrers(&cx, &repository, &subject, &page).await.map_err(|error| refusal(&error))?;
        Ok(Response::new(stream::iter(parts(page).into_iter().map(Ok)).boxed()))
    }
}

/// The page in parts that stay far below the limit of a message: annotations may make descriptors large.
fn parts(page: Page<Descriptor>) -> Vec<v1::ReferrersPart> {
    let (mut parts, mut part, mut part_bytes) = (Vec::new(), v1::ReferrersPart::default(), 0);
    for descriptor in page.entries.into_iter().map(v1::Descriptor::from) {
        let bytes = descriptor.encoded_len();
        if part_bytes + bytes > PIECE_BYTES_MAX && part_bytes > 0 {
            parts.push(std::mem::take(&mut part));
            part_bytes = 0;
        }
        part_bytes += bytes;
        part.descriptors.push(descriptor);
    }
    (part.last, part.more) = (true, page.more);
    parts.push(part);
    parts
}
