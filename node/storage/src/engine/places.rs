//! Removing bytes of which no row speaks: a process died, or was cut off, after it had stored them and before it had said so; or what spoke of
//! them was deleted.
//!
//! A push may be anywhere between storing bytes and committing rows, for however long its process is stopped. So nothing is removed because no row
//! was found: first the place of the bytes, or their key, is *condemned*, by a row that every push needs to be absent when it commits rows that
//! speak of it. From then on no row can come to speak of it. Only what nobody speaks of after that is removed; what somebody spoke of in the last
//! moment is pardoned. Whoever removes says so in the mark first, under the condition that nobody has touched it since the rows were read: who was
//! stopped meanwhile, and whom another one has relieved, neither removes what is pardoned nor pardons what is removed.
//!
//! The mark stays for as long as a stopped process may possibly come back. Stores need not remove under a condition: a removal that comes late
//! meets nothing new, because nobody chooses a place twice, and what would be stored under a condemned key is stored at a place instead.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use prost::Message;
use zot_contract::UploadId;

use super::Engine;
use crate::{
    BlobAddress, BlobKey, Error, Result,
    metadata::{
        Change, Expect, Key, Kind, Outcome, Row, Scan, Transaction, Write,
        rows::{BlobRow, CondemnedRow, LinkRow, ManifestRow},
    },
    stores::is_complete,
};

/// How many marks are read at a time.
const MARKS_PAGE: usize = 1000;

/// How many places are held at a time that earlier calls condemned: of some 100 bytes each, 10 MB. Later calls have the others.
const MARKS_MAX: usize = 100_000;

/// For how long a mark stays whose bytes are removed. No process is stopped for so long and then goes on with a push.
const MARK_KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// So many places are condemned whatever others there are: this many processes may well have died at a certain moment.
const CONDEMNED_ANYHOW: usize = 100;

/// When a client whose bytes were removed before a row spoke of them should send them again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A place that is condemned.
struct Mark {
    version: u64,
    row: CondemnedRow,
}

impl Engine {
    /// Takes one step towards removing what is at those of `places` of which no row speaks, and the next one with those that earlier calls
    /// condemned. Keys that were chosen for bytes are places as well. Returns how many it emptied. Holds all of `places`, and reads all rows of
    /// blobs and manifests: for the background only.
    pub async fn reap_places(&self, places: impl IntoIterator<Item = String> + Send) -> Result<usize> {
        let Some(rows) = self.complete_rows().await? else { return Ok(0) };
        let marks = self.marks().await?;
        let mut unspoken: BTreeSet<String> = places.into_iter().filter(|place| !place.is_empty()).collect();
        let shown = unspoken.len();
        unspoken.extend(marks.keys().cloned());
        if !unspoken.is_empty() {
            self.drop_spoken_of(&mut unspoken).await?;
        }
        // Rows that are being made anew meanwhile speak of nothing yet.
        if self.complete_rows().await? != Some(rows) {
            return Ok(0);
        }
        let mut emptied = 0;
        for (place, mark) in &marks {
            let unspoken = unspoken.remove(place);
            emptied += usize::from(self.settle(place, mark, unspoken).await?);
        }
        check_share(unspoken.len(), shown)?;
        for place in unspoken {
            emptied += usize::from(self.condemn(place).await?);
        }
        Ok(emptied)
    }

    /// The version of the schema row, if the rows are complete.
    async fn complete_rows(&self) -> Result<Option<u64>> {
        let Some(row) = self.metadata.get(&Key::Schema).await? else { return Ok(None) };
        Ok(is_complete(&row)?.then_some(row.version))
    }

    /// The marks that something is to be done about, as many as are held at a time. Those that are good for nothing any more are dropped.
    async fn marks(&self) -> Result<BTreeMap<String, Mark>> {
        let (mut marks, mut after) = (BTreeMap::new(), None);
        loop {
            let page = self.metadata.scan(&Scan::Condemned(after.clone()), MARKS_PAGE).await?;
            let last = page.len() < MARKS_PAGE;
            for (key, row) in page {
                let mark = Mark { version: row.version, row: row.read::<CondemnedRow>(&key)? };
                let Key::Condemned(place) = key else { continue };
                after = Some(place.clone());
                if mark.row.removed {
                    self.drop_old(&place, &mark).await?;
                } else if marks.len() < MARKS_MAX {
                    marks.insert(place, mark);
                }
            }
            if last {
                return Ok(marks);
            }
        }
    }

    /// Drops the mark of bytes that were removed so long ago that nobody can come back for them.
    async fn drop_old(&self, place: &str, mark: &Mark) -> Result<()> {
        let age_ms = self.wall.unix_ms().saturating_sub(mark.row.since_unix_ms);
        if u128::from(age_ms) > MARK_KEPT_FOR.as_millis() {
            let mut transaction = Transaction::new();
            transaction.delete(Key::Condemned(place.to_owned()), Expect::Version(mark.version));
            self.metadata.commit(transaction).await?;
        }
        Ok(())
    }

    /// Takes out the places that rows speak of.
    async fn drop_spoken_of(&self, places: &mut BTreeSet<String>) -> Result<()> {
        for kind in Kind::ALL {
            let mut after = None;
            while !places.is_empty() {
                let (rows, next) = self.metadata.walk(kind, after.as_ref()).await?;
                for (key, row) in rows {
                    if let Some(at) = address(&key, &row)? {
                        places.remove(at.as_str());
                    }
                }
                after = next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Carries out, or takes back, what an earlier call said of a place. Returns whether something was removed.
    async fn settle(&self, place: &str, mark: &Mark, unspoken: bool) -> Result<bool> {
        let key = Key::Condemned(place.to_owned());
        let expect = Expect::Version(mark.version);
        let mut transaction = Transaction::new();
        if unspoken {
            transaction.put(key, expect, CondemnedRow { removed: true, ..mark.row.clone() }.encode_to_vec());
        } else {
            transaction.delete(key, expect);
        }
        let settled = self.metadata.commit(transaction).await? == Outcome::Committed;
        if settled && unspoken {
            self.blobs.delete(&BlobAddress::unknown_at(place.to_owned())).await?;
        }
        Ok(settled && unspoken)
    }

    /// Condemns a place, which a later call of [`Engine::reap_places`] empties or pardons, or empties one that was to be emptied by an earlier call, which failed. Returns whether something was removed.
    pub(super) async fn condemn(&self, place: String) -> Result<bool> {
        let row = CondemnedRow { since_unix_ms: self.wall.unix_ms(), removed: false };
        let key = Key::Condemned(place.clone());
        let mut transaction = Transaction::new();
        transaction.put(key.clone(), Expect::Absent, row.encode_to_vec());
        if self.metadata.commit(transaction).await? == Outcome::Committed {
            return Ok(false);
        }
        let mark = self.metadata.get(&key).await?.map(|row| row.read::<CondemnedRow>(&key)).transpose()?;
        let again = mark.is_some_and(|mark| mark.removed);
        if again {
            self.blobs.delete(&BlobAddress::unknown_at(place)).await?;
        }
        Ok(again)
    }

    /// Whether no row may speak of a place any more.
    pub(super) async fn is_condemned(&self, place: &str) -> Result<bool> {
        Ok(self.metadata.get(&Key::Condemned(place.to_owned())).await?.is_some())
    }

    /// Stores bytes that are at hand and that one repository has to itself. Returns their place, as [`crate::blobs::Staged::commit`] does.
    pub(super) async fn store_own(&self, key: &BlobKey, bytes: Bytes) -> Result<String> {
        if !self.is_condemned(key.as_str()).await? {
            return self.blobs.put(key, bytes).await.map(|()| String::new());
        }
        let mut staged = self.blobs.stage(UploadId::random()).await?;
        staged.write(vec![bytes]).await?;
        staged.commit(key).await
    }
}

/// A condition for rows that come to speak of bytes: that nobody takes these for left over.
pub(super) fn uncondemned(at: &BlobAddress) -> Change {
    Change { key: Key::Condemned(at.as_str().to_owned()), expect: Expect::Absent, write: Write::Delete }
}

/// The failure of a push that committed its rows too late.
pub(super) fn too_late() -> Error {
    Error::unavailable("the bytes of a push that took too long", AGAIN_AFTER, "they were taken for left over")
}

/// Refuses to condemn most of what there is: rows that cannot be seen are a likelier reason than as many uploads that came to no end.
fn check_share(unspoken: usize, shown: usize) -> Result<()> {
    if unspoken <= CONDEMNED_ANYHOW || unspoken <= shown / 2 {
        return Ok(());
    }
    let reason = format!(
        "no row speaks of {unspoken} of {shown} objects that lie in the store for long, and at most half may be left over; nothing is removed. \
         Are these the rows of this store?"
    );
    Err(Error::damaged("list of objects", reason))
}

/// Where the bytes are that a row speaks of, unless they are in it.
fn address(key: &Key, row: &Row) -> Result<Option<BlobAddress>> {
    Ok(match key {
        Key::Blob(digest) => row.read::<BlobRow>(key)?.address(digest),
        Key::Link(name, digest) => row.read::<LinkRow>(key)?.address(name, digest),
        Key::Manifest(name, digest) => row.read::<ManifestRow>(key)?.address(name, digest),
        _ => None,
    })
}
