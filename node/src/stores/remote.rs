//! A store in services that several nodes reach.

use std::error::Error as StdError;

use zot_config::{Config, storage::Store};
use zot_storage::{Progress, Rebuilt};

use super::Opened;
use crate::Ownership;

pub(super) async fn open(
    _config: &Config,
    _store: &Store,
    _ownership: Option<&Ownership>,
    _progress: Progress<'_>,
) -> Result<Opened, Box<dyn StdError + Send + Sync>> {
    Err("remote".into())
}

pub(super) async fn rebuild(_config: &Config, _store: &Store, _progress: Progress<'_>) -> Result<Rebuilt, Box<dyn StdError + Send + Sync>> {
    Err("remote".into())
}
