//! An engine on a local directory: every port below one root, one process at a time.

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{
    Engine, Progress, Rebuilt, Result,
    blobs::{BlobStore, FilesystemBlobs},
    error::blocking,
    layout::Layout,
    layouts::{FilesystemLayouts, Layouts},
    lock::Lock,
    metadata::{
        Key, Metadata,
        redb::{RedbMetadata, keep_users},
    },
    projection::Projector,
    rebuild::{Rows, rebuild, show_all},
    sessions::{FilesystemSessions, Sessions},
    stores::is_complete,
};

/// How a local directory is used.
#[derive(Debug, Clone)]
pub struct LocalOptions {
    /// The root directory (`storage.rootDirectory`).
    pub root: PathBuf,
    /// Whether acknowledged changes are on the disk (`storage.commit`).
    pub durable: bool,
    /// Whether repositories share bytes (`storage.dedupe`).
    pub dedupe: bool,
}

/// An engine on a local directory, which stays locked for as long as this lives.
#[derive(Debug)]
pub struct Local {
    /// The engine.
    pub engine: Engine,
    /// The root directory.
    pub root: PathBuf,
    /// What was adopted, if the directory had no metadata yet.
    pub adopted: Option<Rebuilt>,
    _lock: Lock,
}

impl Local {
    /// Opens a directory, creating it when absent. If it has image layouts but no metadata, these are read first.
    pub async fn open(options: &LocalOptions, progress: Progress<'_>) -> Result<Self> {
        let layout = Layout::new(&options.root);
        let lock = lock(&layout)?;
        let (path, durable) = (layout.metadata(), options.durable);
        // After a crash this reads the whole file.
        let metadata: Arc<dyn Metadata> = Arc::new(blocking(move || RedbMetadata::open(&path, durable)).await?);
        let blobs: Arc<dyn BlobStore> = Arc::new(FilesystemBlobs::open(&options.root, options.durable)?);
        let sessions: Arc<dyn Sessions> = Arc::new(FilesystemSessions::open(&options.root)?);
        remove_leftovers(blobs.as_ref(), sessions.as_ref()).await?;
        let layouts = Arc::new(FilesystemLayouts::new(layout, options.durable));
        let adopted = adopt(layouts.as_ref(), metadata.as_ref(), options.dedupe, progress).await?;
        let projector = Arc::new(Projector::new(metadata.clone(), blobs.clone(), layouts, None));
        let engine = Engine::new(metadata, blobs, sessions, options.dedupe).with_projector(projector);
        Ok(Self { engine, root: options.root.clone(), adopted, _lock: lock })
    }

    /// Throws the metadata of a directory away and reads it anew from the image layouts, which show all that it held if it can be read. What is
    /// known of users stays: layouts do not tell it.
    pub async fn rebuild(options: &LocalOptions, progress: Progress<'_>) -> Result<Rebuilt> {
        let layout = Layout::new(&options.root);
        let lock = lock(&layout)?;
        let path = layout.metadata();
        let metadata = async { Ok(Arc::new(RedbMetadata::open(&path, options.durable)?) as Arc<dyn Metadata>) };
        let blobs = Arc::new(FilesystemBlobs::open(&options.root, options.durable)?);
        show_all(metadata, blobs, Arc::new(FilesystemLayouts::new(layout, options.durable))).await?;
        keep_users(&path).await?;
        drop(lock);
        let local = Self::open(options, progress).await?;
        local.engine.close(Duration::MAX).await?;
        Ok(local.adopted.unwrap_or_default())
    }
}

fn lock(layout: &Layout) -> Result<Lock> {
    Lock::take(&layout.lock(), layout.root())
}

/// Drops staged bytes that no session speaks of: what a process that was killed had not acknowledged.
async fn remove_leftovers(blobs: &dyn BlobStore, sessions: &dyn Sessions) -> Result<()> {
    for upload in blobs.staged().await? {
        if sessions.load(upload).await?.is_none() {
            blobs.discard(upload, &[]).await?;
        }
    }
    Ok(())
}

/// Reads image layouts into a store that is not complete: a new one, or one whose first start was interrupted.
async fn adopt(layouts: &dyn Layouts, metadata: &dyn Metadata, dedupe: bool, progress: Progress<'_>) -> Result<Option<Rebuilt>> {
    if let Some(row) = metadata.get(&Key::Schema).await?
        && is_complete(&row)?
    {
        return Ok(None);
    }
    let mut rows = Rows::new(metadata, None);
    let rebuilt = rebuild(layouts, &mut rows, dedupe, progress).await?;
    rows.complete().await?;
    Ok(Some(rebuilt))
}
