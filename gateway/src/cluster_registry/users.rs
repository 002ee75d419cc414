//! Users of the cluster. A save that is made again by another member after an answer was lost finds the record changed, as its caller would.

use zot_contract::{Context, FoundUser, Result, Revision, UserName, UserRecord, Users};

use super::{ClusterRegistry, ask::Act};

#[async_trait::async_trait]
impl Users for ClusterRegistry {
    async fn find_user(&self, cx: &Context, user: &UserName) -> Result<Option<FoundUser>> {
        self.ask(cx, user, Act::Read, |node, cx| async move { node.find_user(&cx, user).await }).await
    }

    async fn save_user(&self, cx: &Context, user: &UserName, expected: Option<Revision>, record: &UserRecord) -> Result<()> {
        self.ask(cx, user, Act::Change, |node, cx| async move { node.save_user(&cx, user, expected, record).await }).await
    }
}
