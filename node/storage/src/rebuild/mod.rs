//! Rows from image layouts: after the metadata was lost, and when a directory that zot wrote is adopted.

mod repository;
mod rows;
mod unshown;

use crate::{Result, layouts::Layouts};
use repository::Repository;
pub(crate) use rows::{Claim, Rows};
pub use unshown::show_all;

/// What a rebuild found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Rebuilt {
    /// Repositories.
    pub repositories: usize,
    /// Manifests.
    pub manifests: usize,
    /// Tags.
    pub tags: usize,
    /// Blobs, counted once for each repository that has them.
    pub blobs: usize,
    /// Manifests, tags and blobs that were left out because they are missing or damaged; each is named in the log.
    pub damaged: usize,
}

/// How far a rebuild is: repositories done, and all repositories.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Send + Sync);

/// Writes the rows of everything that the image layouts show.
pub(crate) async fn rebuild(layouts: &dyn Layouts, rows: &mut Rows<'_>, dedupe: bool, progress: Progress<'_>) -> Result<Rebuilt> {
    let names = rows.during(layouts.repositories()).await?;
    let mut rebuilt = Rebuilt::default();
    for (done, name) in names.iter().enumerate() {
        progress(done, names.len());
        rebuilt.add(Repository::new(layouts, name.clone(), dedupe, rows).read().await?);
    }
    rows.flush().await?;
    progress(names.len(), names.len());
    rows.during(layouts.sync()).await?;
    Ok(rebuilt)
}

impl Rebuilt {
    fn add(&mut self, other: Self) {
        self.repositories += other.repositories;
        self.manifests += other.manifests;
        self.tags += other.tags;
        self.blobs += other.blobs;
        self.damaged += other.damaged;
    }
}
