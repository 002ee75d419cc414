//! Users, in memory.

use super::MemoryRegistry;
use crate::{Context, Error, FoundUser, Result, Revision, UserName, UserRecord, Users};

#[async_trait::async_trait]
impl Users for MemoryRegistry {
    async fn find_user(&self, _: &Context, user: &UserName) -> Result<Option<FoundUser>> {
        Ok(self.state.lock().users.get(user).cloned())
    }

    async fn save_user(&self, _: &Context, user: &UserName, expected: Option<Revision>, record: &UserRecord) -> Result<()> {
        record.check_size(user)?;
        let mut state = self.state.lock();
        let found = state.users.get(user).map(|found| found.revision);
        if found != expected {
            return Err(Error::UserChanged { user: user.clone() });
        }
        let revision = Revision(found.map_or(1, |Revision(number)| number + 1));
        state.users.insert(user.clone(), FoundUser { revision, record: record.clone() });
        Ok(())
    }
}
