//! Users for another process.

use tonic::{Request, Response};
use zot_contract::Revision;

use super::Served;
use crate::{
    convert::{parse, required},
    status::{Answer, refusal},
    v1::{self, user_service_server::UserService},
};

#[tonic::async_trait]
impl UserService for Served {
    async fn find_user(&self, request: Request<v1::FindUserRequest>) -> Answer<v1::FindUserResponse> {
        let asked = request.into_inner();
        let (cx, user) = (required("context", asked.context)?, parse("user", &asked.user)?);
        let found = self.registry.find_user(&cx, &user).await.map_err(|error| refusal(&error))?;
        Ok(Response::new(v1::FindUserResponse { found: found.as_ref().map(v1::FoundUser::from) }))
    }

    async fn save_user(&self, request: Request<v1::SaveUserRequest>) -> Answer<v1::SaveUserResponse> {
        let asked = request.into_inner();
        let (cx, user) = (required("context", asked.context)?, parse("user", &asked.user)?);
        let record = required("record", asked.record)?;
        let saved = self.registry.save_user(&cx, &user, asked.expected.map(Revision), &record).await;
        saved.map_err(|error| refusal(&error))?;
        Ok(Response::new(v1::SaveUserResponse {}))
    }
}
