//! An upload that goes on over many requests, and over failures.

use zot_tests::{Client, Reply, digest_of, wait};

use super::attempt::{Stopped, attempt};
use crate::{
    model::{Fact, Model},
    random::Random,
};

/// What an upload that had acknowledged bytes may be after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterFailure {
    /// Where it was acknowledged, or further: the process died.
    Kept,
    /// Anywhere or gone: what was not synced is lost, and uploads under way are not synced.
    MayBeLost,
}

/// An upload under way.
#[derive(Debug)]
pub(super) struct Upload {
    repository: String,
    location: String,
    content: Vec<u8>,
    acknowledged: usize,
    /// The most that the registry may have got.
    sent: usize,
    finishing: bool,
    /// How sure it is what the registry has of it.
    doubt: Doubt,
}

/// Whether an upload knows where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// Every request was answered.
    Never,
    /// One was not, and may yet be done by somebody who was slow; what the registry has was asked since.
    Past,
    /// One was not: what the registry has must be asked.
    Now,
}

impl Upload {
    pub(super) async fn start(client: &Client, repository: &str, content: Vec<u8>) -> Result<Self, Stopped> {
        let reply = attempt(client.post(&format!("/v2/{repository}/blobs/uploads/")), &[202]).await?;
        Ok(Self {
            repository: repository.to_owned(),
            location: reply.location(),
            content,
            acknowledged: 0,
            sent: 0,
            finishing: false,
            doubt: Doubt::Never,
        })
    }

    /// Whether the registry must still have it after it could not do what was asked: bytes that it acknowledged, unless it was at their end.
    pub(super) fn must_go_on(&self) -> bool {
        self.acknowledged > 0 && !self.finishing
    }

    /// A request was not answered by a registry that goes on: where the upload is must be asked before the next.
    pub(super) fn doubt(&mut self) {
        self.doubt = Doubt::Now;
    }

    /// Sends the next chunk, or finishes. Whether it is over now.
    pub(super) async fn step(&mut self, client: &Client, model: &Model, random: &mut Random, after: AfterFailure) -> Result<bool, Stopped> {
        if self.doubt == Doubt::Now && !self.is_there(client, after).await? {
            return Ok(true);
        }
        // Where uploads may be lost, one may be gone from one request to the next.
        if self.doubt == Doubt::Never && after == AfterFailure::MayBeLost {
            self.doubt = Doubt::Past;
        }
        let left = self.content.len() - self.acknowledged;
        // No chunk of one byte: the registry has the same words for none and one.
        if left > 3 && !random.once_in(4) {
            self.append(client, random.within(2..left as u64) as usize).await?;
            return Ok(false);
        }
        self.finish(client, model).await?;
        Ok(true)
    }

    async fn append(&mut self, client: &Client, length: usize) -> Result<(), Stopped> {
        let end = self.acknowledged + length;
        self.sent = self.sent.max(end);
        let chunk = &self.content[self.acknowledged..end];
        let expected: &[u16] = if self.doubt == Doubt::Never { &[202] } else { &[202, 404, 409, 416] };
        let reply = attempt(client.append(&self.location, self.acknowledged, chunk), expected).await?;
        if reply.status != 202 {
            // What was thought lost came after all, and was first.
            self.doubt();
            return Ok(());
        }
        assert_eq!(offset(&reply), end, "the registry acknowledges another offset than that of the last byte sent");
        self.acknowledged = end;
        Ok(())
    }

    async fn finish(&mut self, client: &Client, model: &Model) -> Result<(), Stopped> {
        let digest = digest_of(&self.content);
        self.finishing = true;
        self.sent = self.content.len();
        let pending = model.begin([(Fact::blob(&self.repository, &digest), Some(digest.clone()))]);
        let expected: &[u16] = if self.doubt == Doubt::Never { &[201] } else { &[201, 404, 409, 416] };
        let reply = attempt(client.finish_upload(&self.location, &digest, &self.content[self.acknowledged..]), expected).await?;
        if reply.status == 201 {
            pending.acknowledged();
        }
        Ok(())
    }

    /// Asks where the upload is, holds the registry to its word, and finishes from there, as often as the registry says that it cannot yet.
    /// Whether there was something to go on with.
    pub(super) async fn resume(mut self, client: &Client, model: &Model, after: AfterFailure) -> bool {
        let mut went_on = false;
        wait::until("an upload can be finished after the failure", async || match self.end(client, model, after).await {
            Ok(was_there) => {
                went_on = was_there;
                true
            }
            Err(Stopped::Unavailable) => false,
            Err(Stopped::Gone) => panic!("the registry is there"),
        })
        .await;
        went_on
    }

    /// Finishes the upload from where it is. Whether it was anywhere.
    async fn end(&mut self, client: &Client, model: &Model, after: AfterFailure) -> Result<bool, Stopped> {
        let is_there = self.is_there(client, after).await?;
        if is_there {
            self.finish(client, model).await?;
        }
        Ok(is_there)
    }

    /// Asks where the upload is, and holds the registry to its word. Whether it is anywhere.
    async fn is_there(&mut self, client: &Client, after: AfterFailure) -> Result<bool, Stopped> {
        let reply = attempt(client.get(&self.location), &[204, 404]).await?;
        if reply.status == 404 {
            // An upload without bytes lives in memory only; one that was being finished may be.
            let excused = self.acknowledged == 0 || self.finishing || after == AfterFailure::MayBeLost;
            assert!(excused, "an upload with {} acknowledged bytes of {} is gone", self.acknowledged, self.content.len());
            return Ok(false);
        }
        let found = offset(&reply);
        let lowest = if after == AfterFailure::Kept { self.acknowledged } else { 0 };
        assert!((lowest..=self.sent).contains(&found), "an upload is at {found}, {} acknowledged, {} sent", self.acknowledged, self.sent);
        (self.acknowledged, self.doubt) = (found, Doubt::Past);
        Ok(true)
    }
}

/// How many bytes an upload has. The registry cannot say "none"; it says `0-0`.
pub(crate) fn offset(reply: &Reply) -> usize {
    let (_, last) = reply.header("range").split_once('-').unwrap_or_else(|| panic!("no range: {:?}", reply.headers));
    match last.parse::<usize>().expect("a number") {
        0 => 0,
        last => last + 1,
    }
}
