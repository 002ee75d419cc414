//! Upload sessions in small files beside the bytes they speak of.

use std::{collections::HashMap, fs, io, path::Path, sync::Arc, time::SystemTime};

use parking_lot::Mutex;
use prost::Message;
use zot_contract::UploadId;

use super::{SessionRecord, Sessions};
use crate::{
    Error, Result,
    blobs::filesystem::{Durability, remove},
    error::blocking,
    layout::Layout,
    metadata::Outcome,
};

/// The extension of a session that is being saved.
const UNFINISHED: &str = "new";

/// Upload sessions in files below a root directory.
#[derive(Debug)]
pub struct FilesystemSessions {
    layout: Layout,
    revisions: Revisions,
}

/// The revisions of the sessions that this process has saved: no other process saves here, so that files are read for a first save only.
type Revisions = Arc<Mutex<HashMap<UploadId, u64>>>;

impl FilesystemSessions {
    /// Opens the store below `root`, creating its directory when absent.
    pub fn open(root: &Path) -> Result<Self> {
        let layout = Layout::new(root);
        Durability::new(false).create_directory(&layout.uploads())?;
        remove_unfinished(&layout.uploads())?;
        Ok(Self { layout, revisions: Revisions::default() })
    }
}

/// Removes what a process that was killed had not finished saving.
fn remove_unfinished(uploads: &Path) -> Result<()> {
    for entry in fs::read_dir(uploads).map_err(Error::file("list", uploads))? {
        let path = entry.map_err(Error::file("list", uploads))?.path();
        if path.extension().is_some_and(|extension| extension == UNFINISHED) {
            remove(&path)?;
        }
    }
    Ok(())
}

#[async_trait::async_trait]
impl Sessions for FilesystemSessions {
    async fn save(&self, upload: UploadId, session: &SessionRecord, previous: Option<u64>) -> Result<Outcome> {
        let (path, bytes, revision) = (self.layout.session(upload), session.encode_to_vec(), session.revision);
        let revisions = self.revisions.clone();
        blocking(move || {
            if !claim(&revisions, upload, &path, previous, revision)? {
                return Ok(Outcome::Conflict);
            }
            let saved = write(&path, &bytes);
            if saved.is_err() {
                // What is in the file, if anything, tells the next time.
                revisions.lock().remove(&upload);
            }
            saved.map(|()| Outcome::Committed)
        })
        .await
    }

    async fn load(&self, upload: UploadId) -> Result<Option<SessionRecord>> {
        let path = self.layout.session(upload);
        blocking(move || read(&path)).await
    }

    async fn remove(&self, upload: UploadId) -> Result<()> {
        let (path, revisions) = (self.layout.session(upload), self.revisions.clone());
        blocking(move || {
            remove(&path)?;
            revisions.lock().remove(&upload);
            Ok(())
        })
        .await
    }

    async fn list(&self) -> Result<Vec<(UploadId, SystemTime)>> {
        let path = self.layout.uploads();
        blocking(move || {
            let entries = fs::read_dir(&path).map_err(Error::file("list", &path))?;
            let sessions = entries.map(|entry| session(&entry.map_err(Error::file("list", &path))?));
            Ok(sessions.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
        })
        .await
    }
}

/// Notes `revision` as the one that is stored, if it was `previous` until now.
fn claim(revisions: &Revisions, upload: UploadId, path: &Path, previous: Option<u64>, revision: u64) -> Result<bool> {
    if !revisions.lock().contains_key(&upload)
        && let Some(saved) = read(path)?
    {
        revisions.lock().entry(upload).or_insert(saved.revision);
    }
    let mut revisions = revisions.lock();
    let claimed = revisions.get(&upload).copied() == previous;
    if claimed {
        revisions.insert(upload, revision);
    }
    Ok(claimed)
}

/// Replaces a session whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = path.with_added_extension(UNFINISHED);
    fs::write(&beside, bytes).map_err(Error::file("write", &beside))?;
    fs::rename(&beside, path).map_err(Error::file("rename to", path))
}

fn read(path: &Path) -> Result<Option<SessionRecord>> {
    match fs::read(path) {
        Ok(bytes) => Ok(decode(&bytes, path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("read", path)(error)),
    }
}

/// A saved session. One that was cut by a power cut is as good as none: sessions are not synced.
fn decode(bytes: &[u8], path: &Path) -> Option<SessionRecord> {
    let decoded = SessionRecord::decode(bytes);
    let damaged = |error: &prost::DecodeError| tracing::warn!(%error, file = %path.display(), "a saved upload is damaged, dropping it");
    decoded.inspect_err(damaged).ok()
}

/// The session that a directory entry is, if it is one.
fn session(entry: &fs::DirEntry) -> Result<Option<(UploadId, SystemTime)>> {
    let name = entry.file_name();
    let Some(upload) = name.to_str().and_then(|name| name.strip_suffix(".session")?.parse().ok()) else {
        return Ok(None);
    };
    match entry.metadata().and_then(|metadata| metadata.modified()) {
        Ok(saved) => Ok(Some((upload, saved))),
        // It ended since the directory was listed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("stat", entry.path())(error)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[tokio::test]
    async fn a_damaged_session_is_as_good_as_none() {
        let directory = tempfile::tempdir().unwrap();
        let store = FilesystemSessions::open(directory.path()).unwrap();
        let upload = UploadId::random();
        fs::write(store.layout.session(upload), b"\x0a\xffcut").unwrap();
        assert_eq!(store.load(upload).await.unwrap(), None);
    }

    #[tokio::test]
    async fn sessions_that_were_not_saved_to_the_end_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let store = FilesystemSessions::open(directory.path()).unwrap();
        let (saved, unfinished) = (UploadId::random(), UploadId::random());
        store.save(saved, &SessionRecord::default(), None).await.unwrap();
        fs::write(store.layout.session(unfinished).with_added_extension(UNFINISHED), b"half").unwrap();
        let again = FilesystemSessions::open(directory.path()).unwrap();
        let left: Vec<_> = fs::read_dir(store.layout.uploads()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left, [again.layout.session(saved)]);
    }

    fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..70)
    }

    fn any_session() -> impl Strategy<Value = SessionRecord> {
        let texts = (any::<String>(), any::<String>(), any::<String>());
        let numbers = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
        (texts, numbers, (any_bytes(), any_bytes(), any_bytes(), any_bytes()), any::<bool>(), any::<bool>()).prop_map(
            |(
                (repository, subject, algorithm),
                (offset, revision, finishing_unix_ms, operation_from),
                (hash_state, inline, stage_state, operation),
                staged,
                ended,
            )| {
                let (inline, stage_state, operation) = (inline.into(), stage_state.into(), operation.into());
                SessionRecord {
                    repository,
                    subject,
                    algorithm,
                    hash_state,
                    offset,
                    inline,
                    staged,
                    revision,
                    stage_state,
                    finishing_unix_ms,
                    ended,
                    operation,
                    operation_from,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_saved_is_read_back(session in any_session()) {
            prop_assert_eq!(decode(&session.encode_to_vec(), Path::new("a")), Some(session));
        }

        #[test]
        fn any_bytes_are_a_session_or_none(
            session in any_session(), bytes in any_bytes(), place in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
        ) {
            let mut damaged = [session.encode_to_vec(), vec![0x58]].concat();
            let place = place.index(damaged.len());
            damaged[place] = byte;
            damaged.truncate(if cut { place } else { damaged.len() });
            let _ = (decode(&damaged, Path::new("a")), decode(&bytes, Path::new("a")));
        }
    }
}
