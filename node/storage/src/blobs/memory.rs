//! Bytes in memory: for tests, and the plainest reading of the port's contract.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use futures::StreamExt;
use parking_lot::Mutex;
use zot_contract::UploadId;
use zot_oci::ByteRange;

use super::{BlobStore, PIECE_BYTES, Pieces, Staged};
use crate::{BlobKey, Error, Result};

/// Bytes in memory.
#[derive(Debug, Default)]
pub struct MemoryBlobs {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    committed: HashMap<BlobKey, Bytes>,
    staged: HashMap<UploadId, Vec<u8>>,
}

#[derive(Debug)]
struct MemoryStaged {
    upload: UploadId,
    state: Arc<Mutex<State>>,
}

#[async_trait::async_trait]
impl BlobStore for MemoryBlobs {
    async fn stage(&self, upload: UploadId) -> Result<Box<dyn Staged>> {
        self.state.lock().staged.insert(upload, Vec::new());
        Ok(Box::new(MemoryStaged { upload, state: self.state.clone() }))
    }

    async fn resume(&self, upload: UploadId, size: u64) -> Result<Option<Box<dyn Staged>>> {
        let held = self.state.lock().staged.get(&upload).is_some_and(|bytes| bytes.len() as u64 >= size);
        if !held {
            return Ok(None);
        }
        let mut staged = MemoryStaged { upload, state: self.state.clone() };
        staged.truncate(size).await?;
        Ok(Some(Box::new(staged)))
    }

    async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<()> {
        self.state.lock().committed.insert(key.clone(), bytes);
        Ok(())
    }

    async fn read(&self, key: &BlobKey, size: u64, range: ByteRange) -> Result<Pieces> {
        let damaged = |reason| Error::damaged(format!("blob {}", key.as_str()), reason);
        let bytes = self.state.lock().committed.get(key).cloned().ok_or_else(|| damaged("it is not there"))?;
        if bytes.len() as u64 != size {
            return Err(damaged("it has another size"));
        }
        Ok(pieces(bytes.slice(range.first() as usize..=range.last() as usize)))
    }

    async fn size(&self, key: &BlobKey) -> Result<Option<u64>> {
        Ok(self.state.lock().committed.get(key).map(|bytes| bytes.len() as u64))
    }

    async fn delete(&self, key: &BlobKey) -> Result<()> {
        self.state.lock().committed.remove(key);
        Ok(())
    }

    async fn staged(&self) -> Result<Vec<UploadId>> {
        Ok(self.state.lock().staged.keys().copied().collect())
    }

    async fn discard(&self, upload: UploadId) -> Result<()> {
        self.state.lock().staged.remove(&upload);
        Ok(())
    }
}

#[async_trait::async_trait]
impl Staged for MemoryStaged {
    async fn write(&mut self, pieces: Vec<Bytes>) -> Result<()> {
        self.state.lock().staged.entry(self.upload).or_default().extend(pieces.concat());
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    async fn truncate(&mut self, size: u64) -> Result<()> {
        self.state.lock().staged.entry(self.upload).or_default().truncate(size as usize);
        Ok(())
    }

    async fn read_back(&mut self) -> Result<Pieces> {
        let bytes = self.state.lock().staged.get(&self.upload).cloned().unwrap_or_default();
        Ok(pieces(bytes.into()))
    }

    async fn commit(self: Box<Self>, key: &BlobKey) -> Result<()> {
        let mut state = self.state.lock();
        let bytes = state.staged.remove(&self.upload).unwrap_or_default();
        state.committed.insert(key.clone(), bytes.into());
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
    }
}
