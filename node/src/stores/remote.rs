//! A store in services that several nodes reach: bytes in S3, rows in DynamoDB, uploads in Redis. What the configuration gives no service for
//! is kept on the local disk, and then serves this process only.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use zot_config::{
    Config,
    storage::{CacheDriver, S3, StorageDriver, Store},
};
use zot_dynamodb::DynamoMetadata;
use zot_redis::Connection;
use zot_redis_sessions::RedisSessions;
use zot_s3::{Limits, S3Blobs};
use zot_storage::{
    Engine, Error, Progress, Rebuilt, Shared,
    blobs::{BlobStore, CachedBlobs},
    metadata::{
        Metadata,
        redb::{RedbMetadata, keep_users},
    },
    sessions::Sessions,
    show_all,
};

use super::{BoxError, Opened, Services, adopted, disk::Disk, others::refuse_while_served, place};
use crate::Ownership;

/// How many places and keys of bytes are held at a time, listed and once more to be looked for in the rows: of some 130 bytes each, 26 MB.
const PLACES_PAGE: usize = 100_000;

/// What is in a bucket although no upload that anybody knows of has put it there.
#[derive(Debug)]
pub(crate) struct Orphans {
    blobs: S3Blobs,
    sessions: Arc<dyn Sessions>,
    round: Mutex<Round>,
}

/// How far all that lies in the bucket was compared with the rows. What a run has no time for is left to the next one.
#[derive(Debug, Default)]
struct Round {
    /// After which name it goes on; from the beginning if there is none.
    after: Option<String>,
    /// When it last came to the end.
    ended: Option<Instant>,
}

impl Orphans {
    /// Removes what is older than `age` and not in `engine`. Returns of how many uploads it was.
    pub(crate) async fn remove(&self, engine: &Engine, age: Duration) -> zot_storage::Result<usize> {
        let left = self.blobs.reap(age, self.sessions.as_ref()).await?;
        Ok(left + self.remove_placed(engine, age).await?)
    }

    /// Removes bytes of blobs and manifests that no row speaks of, once per `age`: all rows are read for every page of such bytes.
    async fn remove_placed(&self, engine: &Engine, age: Duration) -> zot_storage::Result<usize> {
        if self.round.lock().ended.is_some_and(|last| last.elapsed() < age) {
            return Ok(0);
        }
        let known: HashSet<_> = self.sessions.list().await?.into_iter().map(|(upload, _)| upload).collect();
        let (mut removed, mut refused) = (0, None);
        loop {
            let after = self.round.lock().after.clone();
            let (placed, next) = self.blobs.placed(age, after.as_deref(), PLACES_PAGE).await?;
            let left =
                placed.into_iter().filter(|placed| placed.upload.is_none_or(|upload| !known.contains(&upload))).map(|placed| placed.place);
            match engine.reap_places(left).await {
                Ok(reaped) => removed += reaped,
                // What is implausible of one page says nothing of the next.
                Err(error @ Error::Damaged { .. }) => refused = refused.or(Some(error)),
                Err(error) => return Err(error),
            }
            let is_last = next.is_none();
            self.round.lock().after = next;
            if is_last {
                break;
            }
        }
        if let Some(error) = refused {
            return Err(error);
        }
        self.round.lock().ended = Some(Instant::now());
        Ok(removed)
    }
}

pub(super) async fn open(
    config: &Config,
    store: &Store,
    services: &Services,
    ownership: Option<&Ownership>,
    progress: Progress<'_>,
) -> Result<Opened, BoxError> {
    let disk = disk(config, store, services)?;
    let bucket = S3Blobs::open(bucket(store)?, Limits::default()).await?;
    let sessions = sessions(config, store, services, disk.as_ref())?;
    let remote: Arc<dyn BlobStore> = Arc::new(bucket.clone());
    let blobs = match &services.cache {
        Some(cache) => Arc::new(CachedBlobs::new(remote, cache.clone(), place(store))),
        None => remote,
    };
    let owned = ownership.cloned();
    let shared = Shared {
        metadata: metadata(store, disk.as_ref()).await?,
        blobs,
        sessions: sessions.clone(),
        layouts: Arc::new(bucket.layouts()),
        dedupe: store.dedupe,
        mine: Arc::new(move |repository| owned.as_ref().is_none_or(|ownership| ownership.owns(repository))),
    };
    let (engine, found) = shared.open(progress).await?;
    let place = place(store);
    adopted(&place, found);
    // What the uploads of other members have put there can only be told from what nobody continues by who knows of their uploads.
    let knows_all = config.cluster.is_none() || services.redis.is_some();
    let orphans = knows_all.then(|| Orphans { blobs: bucket, sessions, round: Mutex::default() });
    Ok(Opened { engine, place, orphans, guard: Some(Box::new(disk)) })
}

/// Throws the rows away, but those of users, once the image layouts show all that they held; opening the store reads the layouts anew.
pub(super) async fn rebuild(config: &Config, store: &Store, services: &Services, progress: Progress<'_>) -> Result<Rebuilt, BoxError> {
    refuse_while_served(config).await?;
    let disk = disk(config, store, services)?;
    let bucket = S3Blobs::open(bucket(store)?, Limits::default()).await?;
    let (blobs, layouts) = (Arc::new(bucket.clone()), Arc::new(bucket.layouts()));
    match tables(store) {
        Some(tables) => {
            let metadata = Arc::new(DynamoMetadata::open(tables, zot_dynamodb::Options::default()).await?);
            let rows: Arc<dyn Metadata> = metadata.clone();
            show_all(async { Ok(rows) }, blobs, layouts).await?;
            metadata.erase().await?;
        }
        None => {
            let path = Disk::wanted(disk.as_ref())?.metadata_file();
            let rows = async { Ok(Arc::new(RedbMetadata::open(&path, store.commit)?) as Arc<dyn Metadata>) };
            show_all(rows, blobs, layouts).await?;
            keep_users(&path).await?;
        }
    }
    let shared = Shared {
        metadata: metadata(store, disk.as_ref()).await?,
        blobs: Arc::new(bucket.clone()),
        sessions: sessions(config, store, services, disk.as_ref())?,
        layouts: Arc::new(bucket.layouts()),
        dedupe: store.dedupe,
        mine: Arc::new(|_| true),
    };
    let (engine, found) = shared.open(progress).await?;
    engine.close(Duration::MAX).await?;
    Ok(found.unwrap_or_default())
}

fn bucket(store: &Store) -> Result<&S3, BoxError> {
    match &store.storage_driver {
        Some(StorageDriver::S3(s3)) => Ok(s3),
        Some(driver) => Err(format!("storage driver `{}` is not built yet", driver.name()).into()),
        None => Err("the store has no storage driver".into()),
    }
}

fn tables(store: &Store) -> Option<&zot_config::storage::DynamoDb> {
    match &store.cache_driver {
        Some(CacheDriver::DynamoDb(tables)) if store.uses_remote_cache() => Some(tables),
        _ => None,
    }
}

/// The local disk, if there is something of the store that no service is for.
fn disk(config: &Config, store: &Store, services: &Services) -> Result<Option<Disk>, BoxError> {
    let is_wanted = tables(store).is_none() || services.redis.is_none();
    is_wanted.then(|| Disk::take(config, store)).transpose()
}

async fn metadata(store: &Store, disk: Option<&Disk>) -> Result<Arc<dyn Metadata>, BoxError> {
    Ok(match tables(store) {
        Some(tables) => Arc::new(DynamoMetadata::open(tables, zot_dynamodb::Options::default()).await?),
        None => Arc::new(RedbMetadata::open(&Disk::wanted(disk)?.metadata_file(), store.commit)?),
    })
}

fn sessions(config: &Config, store: &Store, services: &Services, disk: Option<&Disk>) -> Result<Arc<dyn Sessions>, BoxError> {
    Ok(match &services.redis {
        Some(redis) => Arc::new(RedisSessions::new(Connection::clone(redis), config.storage.all.upload_expiry).of_store(place(store))),
        None => Arc::new(Disk::wanted(disk)?.sessions()?),
    })
}
