//! Emptying the file of all that can be read anew from image layouts, so that what is known of users outlives a rebuild.

use std::{fs, panic::AssertUnwindSafe, path::Path};

use futures::FutureExt;

use super::{RedbMetadata, Scan, Transaction};
use crate::{
    Error, Result,
    blobs::filesystem::{Durability, remove},
    error::chain,
    metadata::{Expect, Metadata},
};

/// Users copied at a time.
const USERS_AT_A_TIME: usize = 100;

/// Removes every row of the file at `path` but those of users. If it is damaged, these are lost too, and the log says so.
pub async fn keep_users(path: &Path) -> Result<()> {
    if !fs::exists(path).map_err(Error::file("look for", path))? {
        return Ok(());
    }
    let beside = path.with_extension("users");
    remove(&beside)?;
    // What is damaged may be found so in any way.
    let copied = AssertUnwindSafe(copy(path, &beside)).catch_unwind().await;
    match copied.unwrap_or_else(|_| Err(Error::damaged(path.display().to_string(), "reading it panicked"))) {
        Ok(()) => fs::rename(&beside, path).map_err(Error::file("replace", path))?,
        Err(error @ (Error::File { .. } | Error::InUse { .. })) => return Err(error),
        Err(error) => {
            tracing::warn!(error = %chain(&error), "metadata is damaged: what was known of users is lost, their API keys among it");
            remove(&beside)?;
            remove(path)?;
        }
    }
    path.parent().map_or(Ok(()), |directory| Durability::new(true).sync_directory(directory))
}

async fn copy(from: &Path, to: &Path) -> Result<()> {
    let (from, to) = (RedbMetadata::open(from, true)?, RedbMetadata::open(to, true)?);
    let mut after = None;
    loop {
        let rows = from.scan(&Scan::Users(after), USERS_AT_A_TIME).await?;
        after = rows.last().and_then(|(key, _)| key.user()).map(str::to_owned);
        let mut transaction = Transaction::new();
        rows.into_iter().for_each(|(key, row)| transaction.put(key, Expect::Anything, row.value));
        if after.is_none() {
            break;
        }
        to.commit(transaction).await?;
    }
    from.close().await.and(to.close().await)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Key;

    fn user(number: usize) -> Key {
        Key::User(format!("user-{number}").parse().unwrap())
    }

    #[tokio::test]
    async fn users_are_kept_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metadata.redb");
        keep_users(&path).await.unwrap();
        assert!(!path.exists());
        let metadata = RedbMetadata::open(&path, true).unwrap();
        let mut transaction = Transaction::new();
        transaction.put(Key::Repository("a".parse().unwrap()), Expect::Absent, "x");
        transaction.put(Key::Schema, Expect::Absent, "x");
        (0..=2 * USERS_AT_A_TIME).for_each(|number| transaction.put(user(number), Expect::Absent, number.to_string()));
        metadata.commit(transaction).await.unwrap();
        metadata.close().await.unwrap();
        keep_users(&path).await.unwrap();
        let metadata = RedbMetadata::open(&path, true).unwrap();
        assert_eq!(metadata.get(&Key::Schema).await.unwrap(), None);
        assert_eq!(metadata.scan(&Scan::Repositories(None), 10).await.unwrap(), []);
        for number in 0..=2 * USERS_AT_A_TIME {
            assert_eq!(metadata.get(&user(number)).await.unwrap().unwrap().value, number.to_string());
        }
    }

    #[tokio::test]
    async fn a_damaged_file_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metadata.redb");
        fs::write(&path, "no database".repeat(1000)).unwrap();
        keep_users(&path).await.unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
