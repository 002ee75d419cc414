//! The port [`BlobStore`] over a bucket.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::future::try_join_all;
use zot_contract::{BlobUrl, UploadId};
use zot_oci::ByteRange;
use zot_storage::{
    BlobAddress, BlobKey, Error, Result,
    blobs::{self, BlobStore, Opened, Staged, Staging},
    sessions::Sessions,
};

use crate::{
    Calls,
    bucket::{Listed, Multipart},
    keys, read,
    staged::{S3Staged, State},
    store::Store,
};

/// How many names are held at a time: as many as S3 lists at a time.
const NAMES_PAGE: usize = 1_000;

/// Blobs in a bucket of S3; a clone is another handle on the same.
#[derive(Debug, Clone)]
pub struct S3Blobs {
    store: Arc<Store>,
}

/// Bytes of which a row should speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Their place, or else their key, as [`BlobAddress::as_str`] has it.
    pub place: String,
    /// The upload that put them there, if one did.
    pub upload: Option<UploadId>,
    /// How many they are.
    pub size: u64,
}

impl S3Blobs {
    pub(crate) fn new(store: Store) -> Self {
        Self { store: Arc::new(store) }
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// What was asked of S3 since the store was opened.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.store.bucket.counters.read()
    }

    /// Waits until everything that finished uploads left has been removed.
    pub async fn swept(&self) {
        self.store.swept().await;
    }

    /// Drops what uploads left that are older than `age` and have no session. Returns of how many. Lists: for the background only.
    ///
    /// S3 drops whatever it is told to, however long ago the list was made that it was found in, and whoever has taken the lead since. So each
    /// upload's session is looked for right before. One that is saved for the first time between that and the drop belongs to an upload that went
    /// on without a session for all of `age`, because sessions were out of reach or lost: it starts over, as all such uploads may have to. Nothing
    /// that is a blob can be dropped: what was completed is no multipart upload any more, and no row speaks of a tail.
    ///
    /// It holds a page of names at a time, and 16 bytes for each upload that it gave up.
    pub async fn reap(&self, age: Duration, sessions: &dyn Sessions) -> Result<usize> {
        let Store { bucket, keys, .. } = self.store.as_ref();
        let abandoned = async |key: &str| match keys.upload(key) {
            Some(upload) => Ok::<_, Error>(sessions.load(upload).await?.is_none().then_some(upload)),
            None => Ok(None),
        };
        let (uploaded, tails) = (keys.uploaded(), keys.tails());
        let (mut reaped, mut after) = (HashSet::new(), None);
        loop {
            let (before, page) = (bucket.now(), bucket.multiparts_page(&uploaded, after).await?);
            for listed in page.listed.iter().filter(|listed| listed.is_older_than(age, before)) {
                if let Some(upload) = abandoned(&listed.what.key).await? {
                    bucket.abort_multipart(&listed.what).await?;
                    reaped.insert(upload);
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let mut after = None::<String>;
        loop {
            let (before, page) = (bucket.now(), bucket.page(&tails, after.as_deref(), NAMES_PAGE).await?);
            for listed in page.iter().filter(|listed| listed.is_older_than(age, before)) {
                if let Some(upload) = abandoned(&listed.what).await? {
                    bucket.delete(&listed.what).await?;
                    reaped.insert(upload);
                }
            }
            if page.len() < NAMES_PAGE {
                return Ok(reaped.len());
            }
            after = page.last().map(|last| last.what.clone());
        }
    }

    /// What is older than `age` and lies at a place, or under a key that one repository has to itself: of up to `limit` in the order of their
    /// names from `after` on, and the name after which there may be more. One that no row speaks of was left by a process that died before it had
    /// said what it stored, or that lost an upload to another; or what spoke of it was deleted. Lists: for the background only.
    pub async fn placed(&self, age: Duration, after: Option<&str>, limit: usize) -> Result<(Vec<Placed>, Option<String>)> {
        let Store { bucket, keys, .. } = self.store.as_ref();
        let (before, after, mut page) = (bucket.now(), after.map(|after| keys.of(after)), Vec::new());
        for prefix in [keys.own(), keys.uploaded()] {
            let within = after.as_deref().filter(|after| after.starts_with(&prefix));
            let is_past = within.is_none() && after.as_ref().is_some_and(|after| *after > prefix);
            if !is_past && page.len() < limit {
                page.extend(bucket.page(&prefix, within, limit - page.len()).await?);
            }
        }
        let next = page.last().filter(|_| page.len() == limit).and_then(|last| keys.name(&last.what)).map(str::to_owned);
        let old = page.into_iter().filter(|listed| listed.is_older_than(age, before));
        let placed = old.filter_map(|listed| {
            let (place, upload) = (keys.name(&listed.what)?.to_owned(), keys.upload(&listed.what));
            (upload.is_some() || keys::is_own(&place)).then_some(Placed { place, upload, size: listed.size })
        });
        Ok((placed.collect(), next))
    }

    async fn leftovers(&self) -> Result<(Vec<Listed<Multipart>>, Vec<Listed<String>>)> {
        let Store { bucket, keys, .. } = self.store.as_ref();
        let (uploaded, tails) = (keys.uploaded(), keys.tails());
        futures::try_join!(bucket.list_multiparts(&uploaded), bucket.list(&tails))
    }

    /// Drops what a state speaks of. What lies at a place stays, and its place is returned: somebody's rows may speak of it.
    async fn drop_known(&self, state: State) -> Result<Vec<String>> {
        let Store { bucket, keys, .. } = self.store.as_ref();
        let (mut places, tails): (Vec<String>, Vec<String>) =
            state.fragments.into_iter().map(|fragment| fragment.name).partition(|name| keys::is_place(name));
        if state.completed > 0 {
            places.push(state.place);
        } else if !state.place.is_empty() {
            bucket.abort_multipart(&Multipart { key: keys.of(&state.place), id: state.multipart }).await?;
        }
        let tails: Vec<String> = tails.iter().map(|name| keys.of(name)).collect();
        try_join_all(tails.iter().map(|name| bucket.delete(name))).await?;
        Ok(places)
    }

    async fn drop_listed(&self, upload: UploadId) -> Result<()> {
        let Store { bucket, keys, .. } = self.store.as_ref();
        let [tails, places] = keys::of_upload(upload);
        for listed in bucket.list_multiparts(&keys.of(&places)).await? {
            bucket.abort_multipart(&listed.what).await?;
        }
        for listed in bucket.list(&keys.of(&tails)).await? {
            bucket.delete(&listed.what).await?;
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl BlobStore for S3Blobs {
    fn staging(&self) -> Staging {
        // They are copied at once, so that the buffers they came in are free again.
        Staging { durable_when_flushed: true, gathered_bytes: 64 << 10 }
    }

    async fn stage(&self, upload: UploadId) -> Result<Box<dyn Staged>> {
        Ok(Box::new(S3Staged::new(self.store.clone(), upload)))
    }

    async fn resume(&self, upload: UploadId, size: u64, state: &[u8]) -> Result<Option<Box<dyn Staged>>> {
        let Some(state) = State::read(state) else { return Ok(None) };
        let resumed = S3Staged::resume(self.store.clone(), upload, size, state).await?;
        Ok(resumed.map(|staged| Box::new(staged) as Box<dyn Staged>))
    }

    async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<()> {
        self.store.bucket.put_bytes(&self.store.keys.blob(key), bytes).await
    }

    async fn read(&self, at: &BlobAddress, size: u64, range: ByteRange) -> Result<Opened> {
        let object = read::open(&self.store, self.store.keys.at(at), range).await?;
        let (found, pieces) = object.ok_or_else(|| damaged(at, format!("it is not there, or has less than {size} bytes")))?;
        if found == size { Ok(blobs::opened(pieces)) } else { Err(damaged(at, format!("it has {found} bytes, {size} were stored"))) }
    }

    async fn url(&self, at: &BlobAddress, size: u64, valid_for: Duration) -> Result<Option<BlobUrl>> {
        let (bucket, key) = (&self.store.bucket, self.store.keys.at(at));
        match bucket.size(&key).await? {
            Some(found) if found == size => {}
            Some(found) => return Err(damaged(at, format!("it has {found} bytes, {size} were stored"))),
            None => return Err(damaged(at, "it is not there".to_owned())),
        }
        let url = bucket.presigned(&key, valid_for).await?.parse();
        Ok(url.inspect_err(|error| tracing::warn!(key, %error, "the URL of an object is of no use to clients")).ok())
    }

    async fn size(&self, at: &BlobAddress) -> Result<Option<u64>> {
        self.store.bucket.size(&self.store.keys.at(at)).await
    }

    async fn delete(&self, at: &BlobAddress) -> Result<()> {
        self.store.bucket.delete(&self.store.keys.at(at)).await
    }

    async fn staged(&self) -> Result<Vec<UploadId>> {
        self.store.swept().await;
        let (multiparts, tails) = self.leftovers().await?;
        let keys = multiparts.into_iter().map(|listed| listed.what.key).chain(tails.into_iter().map(|listed| listed.what));
        let uploads = keys.filter_map(|key| self.store.keys.upload(&key));
        let once: BTreeSet<String> = uploads.map(|upload| upload.to_string()).collect();
        Ok(once.iter().filter_map(|upload| upload.parse().ok()).collect())
    }

    async fn discard(&self, upload: UploadId, state: &[u8]) -> Result<Vec<String>> {
        match State::read(state) {
            Some(state) => self.drop_known(state).await,
            // Only whoever cleans up after others knows no state.
            None => self.drop_listed(upload).await.map(|()| Vec::new()),
        }
    }
}

fn damaged(at: &BlobAddress, reason: String) -> Error {
    Error::damaged(format!("object {}", at.as_str()), reason)
}
