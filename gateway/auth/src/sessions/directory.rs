//! A store in a directory of this process: values survive a restart.
//!
//! ```text
//! <directory>/<hex>           a value: the second of the epoch at which its life is over, a line break, the value
//! <directory>/<hex>.<random>  one that is being written or removed
//! ```

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use zot_runtime::tasks::Tasks;

use super::{SessionStore, StoreError, StoreKey};

/// How often files whose life is over are removed.
const SWEEP_PERIOD: Duration = Duration::from_secs(10 * 60);
/// The most files: one for each login of the last two hours.
const FILES_MAX: usize = 100_000;
/// The largest value, in bytes.
const VALUE_BYTES_MAX: u64 = 1024 * 1024;
/// The age at which a file that is being written or removed is nobody's any more.
const LEFT_BEHIND: Duration = Duration::from_secs(60);

/// Keeps values in files.
#[derive(Debug, Clone)]
pub struct DirectoryStore(Arc<Room>);

#[derive(Debug)]
struct Room {
    directory: PathBuf,
    /// About how many files there are.
    files: AtomicUsize,
}

impl DirectoryStore {
    /// A store in `directory`, which is made if it is not there, and cleaned among `tasks` as long as the store is used.
    ///
    /// # Errors
    /// It cannot be made, or read.
    pub fn open(directory: PathBuf, tasks: &Tasks) -> io::Result<Self> {
        if let Some(parent) = directory.parent() {
            fs::create_dir_all(parent)?;
        }
        match DirBuilder::new().mode(0o700).create(&directory) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let room = Arc::new(Room { directory, files: AtomicUsize::new(0) });
        room.sweep()?;
        let (swept, stop) = (Arc::downgrade(&room), tasks.stop());
        tasks.spawn("sweep-sessions", async move {
            while stop.run_until_cancelled(tokio::time::sleep(SWEEP_PERIOD)).await.is_some() {
                let Some(room) = swept.upgrade() else { return };
                match tokio::task::spawn_blocking(move || room.sweep()).await {
                    Ok(Ok(())) | Err(_) => {}
                    Ok(Err(error)) => tracing::warn!(%error, "could not remove old sessions"),
                }
            }
        });
        Ok(Self(room))
    }

    async fn run<T: Send + 'static>(
        &self,
        act: &'static str,
        function: impl FnOnce(&Room) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let room = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || function(&room)).await;
        done.map_err(|error| StoreError::new(act, error))?.map_err(|error| StoreError::new(act, error))
    }
}

#[async_trait::async_trait]
impl SessionStore for DirectoryStore {
    async fn create(&self, key: &StoreKey, value: &[u8], life: Duration) -> Result<(), StoreError> {
        let (name, value) = (key.to_string(), value.to_vec());
        self.run("keep a session", move |room| room.write(&name, &value, life)).await
    }

    async fn find(&self, key: &StoreKey) -> Result<Option<Vec<u8>>, StoreError> {
        let name = key.to_string();
        self.run("find a session", move |room| read(&room.directory.join(name))).await
    }

    async fn remove(&self, key: &StoreKey) -> Result<Option<Vec<u8>>, StoreError> {
        let name = key.to_string();
        self.run("remove a session", move |room| room.take(&name)).await
    }
}

impl Room {
    fn write(&self, name: &str, value: &[u8], life: Duration) -> io::Result<()> {
        if self.files.load(Ordering::Relaxed) >= FILES_MAX {
            self.sweep()?;
        }
        if self.files.load(Ordering::Relaxed) >= FILES_MAX {
            return Err(io::Error::other(format!("there are {FILES_MAX} already")));
        }
        let aside = self.aside(name);
        let written = write_file(&aside, value, life).and_then(|()| fs::rename(&aside, self.directory.join(name)));
        match &written {
            Ok(()) => _ = self.files.fetch_add(1, Ordering::Relaxed),
            // What failed already is what counts; the sweep removes what stays.
            Err(_) => _ = fs::remove_file(&aside),
        }
        written
    }

    /// Of several who rename a file, one finds it.
    fn take(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let aside = self.aside(name);
        match fs::rename(self.directory.join(name), &aside) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            renamed => renamed?,
        }
        let value = read(&aside)?;
        fs::remove_file(&aside)?;
        let _ = self.files.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |files| files.checked_sub(1));
        Ok(value)
    }

    fn aside(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.{:016x}", rand::random::<u64>()))
    }

    /// Removes files whose life is over, and those that were left half-way; counts the others.
    fn sweep(&self) -> io::Result<()> {
        let mut files = 0;
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            let over = if path.extension().is_some() { is_left_behind(&path) } else { read(&path).map(|value| value.is_none()) };
            match over {
                Ok(true) => match fs::remove_file(&path) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                    _ => {}
                },
                _ => files += 1,
            }
        }
        self.files.store(files, Ordering::Relaxed);
        Ok(())
    }
}

fn is_left_behind(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.modified()?.elapsed().is_ok_and(|age| age > LEFT_BEHIND))
}

/// Nothing is synced: after a power cut people log in again.
fn write_file(path: &Path, value: &[u8], life: Duration) -> io::Result<()> {
    let over = now().saturating_add(life).as_millis();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{over}")?;
    file.write_all(value)
}

/// The value in a file, unless its life is over or there is none. A file that is no value is as good as none.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?.take(VALUE_BYTES_MAX).read_to_end(&mut content)?,
    };
    let Some(end) = content.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
    let over = std::str::from_utf8(&content[..end]).ok().and_then(|text| text.parse::<u128>().ok());
    Ok(over.filter(|over| *over > now().as_millis()).map(|_| content.split_off(end + 1)))
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const LIFE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn it_is_a_store_of_sessions() {
        let room = tempfile::tempdir().unwrap();
        let store = DirectoryStore::open(room.path().join("_zot/sessions"), &Tasks::new()).unwrap();
        super::super::suite::suite(Arc::new(store)).await;
    }

    #[tokio::test]
    async fn values_survive_a_restart_and_are_nobody_elses() {
        let room = tempfile::tempdir().unwrap();
        let directory = room.path().join("sessions");
        let key = StoreKey::new([7; 32]);
        let store = DirectoryStore::open(directory.clone(), &Tasks::new()).unwrap();
        store.create(&key, b"value", LIFE).await.unwrap();
        drop(store);
        let store = DirectoryStore::open(directory.clone(), &Tasks::new()).unwrap();
        assert_eq!(store.find(&key).await.unwrap().as_deref(), Some(&b"value"[..]));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&directory), mode(&directory.join(key.to_string()))), (0o700, 0o600));
    }

    #[tokio::test]
    async fn what_is_over_is_swept_and_what_is_no_value_is_nothing() {
        let room = tempfile::tempdir().unwrap();
        let store = DirectoryStore::open(room.path().to_owned(), &Tasks::new()).unwrap();
        store.create(&StoreKey::new([1; 32]), b"old", Duration::ZERO).await.unwrap();
        store.create(&StoreKey::new([2; 32]), b"new", LIFE).await.unwrap();
        let broken = StoreKey::new([3; 32]);
        fs::write(room.path().join(broken.to_string()), "no value").unwrap();
        assert_eq!(store.find(&broken).await.unwrap(), None);
        store.0.sweep().unwrap();
        let left: Vec<_> = fs::read_dir(room.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [StoreKey::new([2; 32]).to_string().as_str()]);
        assert_eq!(store.0.files.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_directory_that_is_gone_is_told_apart_from_an_absent_value() {
        let room = tempfile::tempdir().unwrap();
        let directory = room.path().join("sessions");
        let store = DirectoryStore::open(directory.clone(), &Tasks::new()).unwrap();
        fs::remove_dir(&directory).unwrap();
        assert!(store.create(&StoreKey::new([1; 32]), b"", LIFE).await.is_err());
    }
}
