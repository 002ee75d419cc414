//! Bytes in memory: for tests, and the plainest reading of the port's contract.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::StreamExt;
use parking_lot::Mutex;
use zot_contract::{BlobUrl, UploadId};
use zot_oci::ByteRange;

use super::{BlobStore, Opened, PIECE_BYTES, Pieces, Staged, Staging, opened};
use crate::{BlobAddress, BlobKey, Error, Result};

/// Bytes in memory.
#[derive(Debug, Default)]
pub struct MemoryBlobs {
    state: Arc<Mutex<State>>,
    remote: bool,
}

#[derive(Debug, Default)]
struct State {
    /// By key or place.
    committed: HashMap<String, Bytes>,
    /// Each handle on an upload has bytes of its own, told apart by a number.
    staged: HashMap<(UploadId, u64), Vec<u8>>,
    handles: u64,
}

#[derive(Debug)]
struct MemoryStaged {
    id: (UploadId, u64),
    state: Arc<Mutex<State>>,
    remote: bool,
}

impl MemoryBlobs {
    /// Bytes in memory as a store across the network has them: they stay where they were staged, and flushed bytes are durable.
    pub fn remote() -> Self {
        Self { remote: true, ..Self::default() }
    }

    /// The places that there are bytes at, in a store that chooses places, and the keys of bytes that one repository has to itself.
    pub fn places(&self) -> Vec<String> {
        self.state.lock().committed.keys().filter(|name| !name.starts_with("_blobs/")).cloned().collect()
    }

    fn handle(&self, upload: UploadId, bytes: Vec<u8>) -> Box<dyn Staged> {
        let mut state = self.state.lock();
        state.handles += 1;
        let id = (upload, state.handles);
        state.staged.insert(id, bytes);
        Box::new(MemoryStaged { id, state: self.state.clone(), remote: self.remote })
    }
}

#[async_trait::async_trait]
impl BlobStore for MemoryBlobs {
    fn staging(&self) -> Staging {
        Staging { durable_when_flushed: self.remote, gathered_bytes: 512 << 10 }
    }

    async fn stage(&self, upload: UploadId) -> Result<Box<dyn Staged>> {
        if !self.remote {
            self.discard(upload, &[]).await?;
        }
        Ok(self.handle(upload, Vec::new()))
    }

    async fn resume(&self, upload: UploadId, size: u64, state: &[u8]) -> Result<Option<Box<dyn Staged>>> {
        let Ok(handle) = state.try_into().map(u64::from_le_bytes) else { return Ok(None) };
        let held = self.state.lock().staged.get(&(upload, handle)).and_then(|bytes| bytes.get(..size as usize).map(<[u8]>::to_vec));
        Ok(held.map(|bytes| self.handle(upload, bytes)))
    }

    async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<()> {
        self.state.lock().committed.insert(key.as_str().to_owned(), bytes);
        Ok(())
    }

    async fn read(&self, at: &BlobAddress, size: u64, range: ByteRange) -> Result<Opened> {
        let damaged = |reason| Error::damaged(format!("blob {}", at.as_str()), reason);
        let bytes = self.state.lock().committed.get(at.as_str()).cloned().ok_or_else(|| damaged("it is not there"))?;
        if bytes.len() as u64 != size {
            return Err(damaged("it has another size"));
        }
        Ok(opened(pieces(bytes.slice(range.first() as usize..=range.last() as usize))))
    }

    /// Nobody serves what is there; a store across the network has URLs all the same.
    async fn url(&self, at: &BlobAddress, size: u64, _valid_for: Duration) -> Result<Option<BlobUrl>> {
        if !self.remote {
            return Ok(None);
        }
        if self.size(at).await? != Some(size) {
            return Err(Error::damaged(format!("blob {}", at.as_str()), "it is not there, or has another size"));
        }
        Ok(format!("http://memory/{}", at.as_str()).parse().ok())
    }

    async fn size(&self, at: &BlobAddress) -> Result<Option<u64>> {
        Ok(self.state.lock().committed.get(at.as_str()).map(|bytes| bytes.len() as u64))
    }

    async fn delete(&self, at: &BlobAddress) -> Result<()> {
        self.state.lock().committed.remove(at.as_str());
        Ok(())
    }

    async fn staged(&self) -> Result<Vec<UploadId>> {
        let mut staged: Vec<UploadId> = self.state.lock().staged.keys().map(|(upload, _)| *upload).collect();
        staged.sort_unstable();
        staged.dedup();
        Ok(staged)
    }

    async fn discard(&self, upload: UploadId, _state: &[u8]) -> Result<Vec<String>> {
        self.state.lock().discard(upload);
        Ok(Vec::new())
    }
}

impl State {
    fn discard(&mut self, upload: UploadId) {
        self.staged.retain(|(staged, _), _| *staged != upload);
    }

    fn bytes(&mut self, id: (UploadId, u64)) -> Result<&mut Vec<u8>> {
        self.staged.get_mut(&id).ok_or_else(|| Error::damaged(format!("upload {}", id.0), "its bytes were discarded"))
    }
}

#[async_trait::async_trait]
impl Staged for MemoryStaged {
    async fn write(&mut self, pieces: Vec<Bytes>) -> Result<()> {
        self.state.lock().bytes(self.id)?.extend(pieces.concat());
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    async fn truncate(&mut self, size: u64) -> Result<()> {
        self.state.lock().bytes(self.id)?.truncate(size as usize);
        Ok(())
    }

    async fn read_back(&mut self) -> Result<Pieces> {
        let bytes = self.state.lock().bytes(self.id)?.clone();
        Ok(pieces(bytes.into()))
    }

    fn state(&self) -> Bytes {
        Bytes::copy_from_slice(&self.id.1.to_le_bytes())
    }

    async fn commit(&mut self, key: &BlobKey) -> Result<String> {
        let (upload, handle) = self.id;
        let place = if self.remote { format!("{upload}/{handle}") } else { String::new() };
        let mut state = self.state.lock();
        let bytes = if self.remote { state.bytes(self.id)?.clone() } else { std::mem::take(state.bytes(self.id)?) };
        if !self.remote {
            state.discard(upload);
        }
        let name = if place.is_empty() { key.as_str() } else { &place };
        state.committed.insert(name.to_owned(), bytes.into());
        Ok(place)
    }

    fn finish(&mut self) {
        self.state.lock().discard(self.id.0);
    }

    async fn discard(&mut self) -> Result<()> {
        self.state.lock().discard(self.id.0);
        Ok(())
    }
}

fn pieces(bytes: Bytes) -> Pieces {
    let starts = (0..bytes.len()).step_by(PIECE_BYTES);
    let pieces: Vec<Result<Bytes>> = starts.map(|start| Ok(bytes.slice(start..bytes.len().min(start + PIECE_BYTES)))).collect();
    futures::stream::iter(pieces).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_keeps_the_contract() {
        super::super::suite::blob_store_suite(&MemoryBlobs::default()).await;
        super::super::suite::blob_store_suite(&MemoryBlobs::remote()).await;
    }
}
