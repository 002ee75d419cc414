//! A store on the local disk.

use zot_config::storage::Store;
use zot_storage::{Local, LocalOptions, Progress, Rebuilt};

use super::{BoxError, Opened, adopted, place};

pub(super) async fn open(store: &Store, progress: Progress<'_>) -> Result<Opened, BoxError> {
    let local = Local::open(&options(store), progress).await?;
    let place = place(store);
    adopted(&place, local.adopted);
    Ok(Opened { engine: local.engine.clone(), place, orphans: None, guard: Some(Box::new(local)) })
}

pub(super) async fn rebuild(store: &Store, progress: Progress<'_>) -> Result<Rebuilt, BoxError> {
    Ok(Local::rebuild(&options(store), progress).await?)
}

fn options(store: &Store) -> LocalOptions {
    LocalOptions { root: store.root_directory.clone(), durable: store.commit, dedupe: store.dedupe }
}
