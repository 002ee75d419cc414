//! Manifests for another process.

use tonic::{Request, Response};
use zot_contract::Collisions;

use super::Served;
use crate::{
    convert::{parse, required},
    status::{Answer, refusal},
    v1::{self, manifest_service_server::ManifestService},
};

#[tonic::async_trait]
impl ManifestService for Served {
    async fn stat_manifest(&self, request: Request<v1::StatManifestRequest>) -> Answer<v1::ManifestInfo> {
        let asked = request.into_inner();
        let (repository, reference) = (parse("repository", &asked.repository)?, parse("reference", &asked.reference)?);
        let cx = required("context", asked.context)?;
        let info = self.registry.stat_manifest(&cx, &repository, &reference).await.map_err(|error| refusal(&error))?;
        Ok(Response::new(info.into()))
    }

    async fn get_manifest(&self, request: Request<v1::GetManifestRequest>) -> Answer<v1::StoredManifest> {
        let asked = request.into_inner();
        let (repository, reference) = (parse("repository", &asked.repository)?, parse("reference", &asked.reference)?);
        let cx = required("context", asked.context)?;
        let manifest = self.registry.get_manifest(&cx, &repository, &reference).await.map_err(|error| refusal(&error))?;
        Ok(Response::new(manifest.into()))
    }

    async fn put_manifest(&self, request: Request<v1::PutManifestRequest>) -> Answer<v1::PushedManifest> {
        let asked = request.into_inner();
        let repository = parse("repository", &asked.repository)?;
        let (cx, push) = (required("context", asked.context)?, required("manifest", asked.push)?);
        let pushed = self.registry.put_manifest(&cx, &repository, push).await.map_err(|error| refusal(&error))?;
        Ok(Response::new(pushed.into()))
    }

    async fn delete_manifest(&self, request: Request<v1::DeleteManifestRequest>) -> Answer<v1::DeleteManifestResponse> {
        let asked = request.into_inner();
        let (repository, reference) = (parse("repository", &asked.repository)?, parse("reference", &asked.reference)?);
        let cx = required("context", asked.context)?;
        let collisions = if asked.refuse_collisions { Collisions::Refused } else { Collisions::Accepted };
        self.registry.delete_manifest(&cx, &repository, &reference, collisions).await.map_err(|error| refusal(&error))?;
        Ok(Response::new(v1::DeleteManifestResponse {}))
    }
}
