//! An engine over stores that several processes share: any of them serves any repository.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use prost::Message;
use uuid::Uuid;

use crate::{
    Engine, Error, Progress, Rebuilt, Result,
    blobs::BlobStore,
    layouts::Layouts,
    metadata::{
        Expect, Key, Metadata, Outcome, Row, Transaction,
        rows::{SCHEMA_VERSION, SchemaRow},
    },
    projection::{Mine, Projector},
    rebuild::{Claim, Rows, rebuild},
    sessions::Sessions,
};

/// How long a process that fills the store may write nothing before another takes its place: some times as long as it lets pass, so that none
/// which is alive loses it.
const FILLER_SILENT_MAX: Duration = Duration::from_secs(60);

/// How often is looked whether a store that another process fills is complete.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The stores that processes share.
#[derive(Clone)]
pub struct Shared {
    /// Rows.
    pub metadata: Arc<dyn Metadata>,
    /// Bytes.
    pub blobs: Arc<dyn BlobStore>,
    /// Uploads in progress.
    pub sessions: Arc<dyn Sessions>,
    /// Image layouts.
    pub layouts: Arc<dyn Layouts>,
    /// Whether repositories share bytes (`storage.dedupe`).
    pub dedupe: bool,
    /// Says which repositories this process keeps the layouts of. It may change its mind: no layout suffers from none or two doing it for a while.
    pub mine: Mine,
}

impl Shared {
    /// Opens the stores. If there are image layouts but no metadata, these are read first, by one of the processes that open at the same time.
    ///
    /// To rebuild, remove all rows while no process serves, and open.
    pub async fn open(self, progress: Progress<'_>) -> Result<(Engine, Option<Rebuilt>)> {
        let rebuilt = self.fill(progress).await?;
        let projector = Projector::new(self.metadata.clone(), self.blobs.clone(), self.layouts, Some(self.mine));
        let engine = Engine::new(self.metadata, self.blobs, self.sessions, self.dedupe).with_projector(Arc::new(projector));
        Ok((engine, rebuilt))
    }

    async fn fill(&self, progress: Progress<'_>) -> Result<Option<Rebuilt>> {
        let Some(claim) = claim(self.metadata.as_ref()).await? else { return Ok(None) };
        let mut rows = Rows::new(self.metadata.as_ref(), Some(claim));
        let rebuilt = rebuild(self.layouts.as_ref(), &mut rows, self.dedupe, progress).await?;
        rows.complete().await?;
        Ok(Some(rebuilt))
    }
}

/// Gets the right to fill a store; nothing once it is complete.
async fn claim(metadata: &dyn Metadata) -> Result<Option<Claim>> {
    let mut seen: Option<(u64, Instant)> = None;
    loop {
        let row = metadata.get(&Key::Schema).await?;
        let expect = match &row {
            None => Expect::Absent,
            Some(row) if is_complete(row)? => return Ok(None),
            Some(row) => match seen.filter(|(version, _)| *version == row.version) {
                Some((version, since)) if since.elapsed() >= FILLER_SILENT_MAX => Expect::Version(version),
                Some(_) => {
                    tokio::time::sleep(LOOK_EVERY).await;
                    continue;
                }
                None => {
                    if seen.is_none() {
                        tracing::info!("another process fills the metadata store from the image layouts, waiting until it is complete");
                    }
                    seen = Some((row.version, Instant::now()));
                    continue;
                }
            },
        };
        if let Some(claim) = try_claim(metadata, expect).await? {
            return Ok(Some(claim));
        }
    }
}

async fn try_claim(metadata: &dyn Metadata, expect: Expect) -> Result<Option<Claim>> {
    let row = SchemaRow { version: 0, filler: Uuid::new_v4().to_string() };
    let value = bytes::Bytes::from(row.encode_to_vec());
    let mut transaction = Transaction::new();
    transaction.put(Key::Schema, expect, value.clone());
    if metadata.commit(transaction).await? == Outcome::Conflict {
        return Ok(None);
    }
    let stored = metadata.get(&Key::Schema).await?.filter(|row| row.value == value);
    Ok(stored.map(|row| Claim { value, version: row.version }))
}

/// Whether a store with this schema row is filled, and in a way that this release knows.
pub(crate) fn is_complete(row: &Row) -> Result<bool> {
    let SchemaRow { version, filler } = row.read(&Key::Schema)?;
    if version > SCHEMA_VERSION {
        return Err(Error::metadata("read")(format!("its schema is version {version}, this release knows {SCHEMA_VERSION}")));
    }
    Ok(filler.is_empty())
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { metadata, blobs, sessions, layouts, dedupe, mine: _ } = self;
        let stores = (metadata, blobs, sessions, layouts);
        f.debug_struct("Shared").field("stores", &stores).field("dedupe", dedupe).finish_non_exhaustive()
    }
}
