//! Upload sessions in small files beside the bytes they speak of.

use std::{fs, io, path::Path, time::SystemTime};

use prost::Message;
use zot_contract::UploadId;

use super::{SessionRecord, Sessions};
use crate::{
    Error, Result,
    blobs::filesystem::{Durability, remove},
    error::blocking,
    layout::Layout,
};

/// Upload sessions in files below a root directory.
#[derive(Debug)]
pub struct FilesystemSessions {
    layout: Layout,
}

impl FilesystemSessions {
    /// Opens the store below `root`, creating its directory when absent.
    pub fn open(root: &Path) -> Result<Self> {
        let layout = Layout::new(root);
        Durability::new(false).create_directory(&layout.uploads())?;
        Ok(Self { layout })
    }
}

#[async_trait::async_trait]
impl Sessions for FilesystemSessions {
    async fn save(&self, upload: UploadId, session: &SessionRecord) -> Result<()> {
        let (path, bytes) = (self.layout.session(upload), session.encode_to_vec());
        blocking(move || {
            let beside = path.with_extension("session.new");
            fs::write(&beside, bytes).map_err(Error::file("write", &beside))?;
            fs::rename(&beside, &path).map_err(Error::file("rename to", &path))
        })
        .await
    }

    async fn load(&self, upload: UploadId) -> Result<Option<SessionRecord>> {
        let path = self.layout.session(upload);
        blocking(move || match fs::read(&path) {
            Ok(bytes) => {
                let session = SessionRecord::decode(bytes.as_slice());
                session.map(Some).map_err(|error| Error::damaged(format!("file `{}`", path.display()), error))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::file("read", &path)(error)),
        })
        .await
    }

    async fn remove(&self, upload: UploadId) -> Result<()> {
        let path = self.layout.session(upload);
        blocking(move || remove(&path)).await
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
