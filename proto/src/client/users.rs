//! Users of another process.

use zot_contract::{Context, FoundUser, Result, Revision, UserName, UserRecord, Users};

use super::RemoteRegistry;
use crate::v1;

#[async_trait::async_trait]
impl Users for RemoteRegistry {
    async fn find_user(&self, cx: &Context, user: &UserName) -> Result<Option<FoundUser>> {
        let message = v1::FindUserRequest { context: Some(cx.into()), user: user.to_string() };
        let v1::FindUserResponse { found } = self.answer(self.users().find_user(self.request(message))).await?;
        Ok(found.map(FoundUser::try_from).transpose()?)
    }

    async fn save_user(&self, cx: &Context, user: &UserName, expected: Option<Revision>, record: &UserRecord) -> Result<()> {
        record.check_size(user)?;
        let expected = expected.map(|Revision(revision)| revision);
        let message = v1::SaveUserRequest { context: Some(cx.into()), user: user.to_string(), expected, record: Some(record.into()) };
        self.answer(self.users().save_user(self.request(message))).await.map(|v1::SaveUserResponse {}| ())
    }
}
