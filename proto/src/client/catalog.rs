//! Lists of another process.

use tokio::time::timeout;
use zot_contract::{Catalog, Context, Page, PageRequest, Result};
use zot_oci::{Descriptor, Digest, RepositoryName, Tag};

use super::RemoteRegistry;
use crate::{status, v1};

#[async_trait::async_trait]
impl Catalog for RemoteRegistry {
    async fn list_repositories(&self, cx: &Context, page: &PageRequest) -> Result<Page<RepositoryName>> {
        let message = v1::ListRepositoriesRequest { context: Some(cx.into()), page: Some(page.into()) };
        Ok(self.answer(self.catalog().list_repositories(self.request(message))).await?.try_into()?)
    }

    async fn list_tags(&self, cx: &Context, repository: &RepositoryName, page: &PageRequest) -> Result<Page<Tag>> {
        let message = v1::ListTagsRequest { context: Some(cx.into()), repository: repository.to_string(), page: Some(page.into()) };
        Ok(self.answer(self.catalog().list_tags(self.request(message))).await?.try_into()?)
    }

    async fn list_referrers(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        subject: &Digest,
        page: &PageRequest<Digest>,
    ) -> Result<Page<Descriptor>> {
        let (context, page) = (Some(cx.into()), Some(page.into()));
        let message = v1::ListReferrersRequest { context, repository: repository.to_string(), subject: subject.to_string(), page };
        let listed = timeout(self.deadline, self.collect_referrers(message)).await;
        listed.map_err(|_| status::overdue(self.deadline))?
    }
}

impl RemoteRegistry {
    async fn collect_referrers(&self, message: v1::ListReferrersRequest) -> Result<Page<Descriptor>> {
        let mut parts = self.answer(self.catalog().list_referrers(self.request(message))).await?;
        let mut entries = Vec::new();
        while let Some(part) = parts.message().await.map_err(|refusal| status::error(&refusal))? {
            for descriptor in part.descriptors {
                entries.push(descriptor.try_into()?);
            }
            if part.last {
                return Ok(Page { entries, more: part.more });
            }
        }
        Err(status::broke_off())
    }
}
