//! Records of users: one row each, replaced only as it was read.

use prost::Message;
use zot_contract::{Context, Error, FoundUser, Result, Revision, UserName, UserRecord, Users};

use super::Engine;
use crate::metadata::{
    Expect, Key, Outcome, Transaction,
    rows::user::{UserRow, record},
};

#[async_trait::async_trait]
impl Users for Engine {
    async fn find_user(&self, _cx: &Context, user: &UserName) -> Result<Option<FoundUser>> {
        let key = Key::User(user.clone());
        let Some(row) = self.metadata.get(&key).await? else { return Ok(None) };
        let record = record(row.read::<UserRow>(&key)?, &key)?;
        Ok(Some(FoundUser { revision: Revision(row.version), record }))
    }

    async fn save_user(&self, _cx: &Context, user: &UserName, expected: Option<Revision>, record: &UserRecord) -> Result<()> {
        record.check_size(user)?;
        let mut transaction = Transaction::new();
        let expect = expected.map_or(Expect::Absent, |Revision(version)| Expect::Version(version));
        transaction.put(Key::User(user.clone()), expect, UserRow::from(record).encode_to_vec());
        match self.metadata.commit(transaction).await? {
            Outcome::Committed => Ok(()),
            Outcome::Conflict => Err(Error::UserChanged { user: user.clone() }),
        }
    }
}
