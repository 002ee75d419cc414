//! How a call finds the member that answers it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use zot_cluster::{Member, Placement, Storage};
use zot_contract::{Context, Error, Result, Routed};
use zot_oci::RepositoryName;
use zot_proto::Unreachable;

use super::{ClusterRegistry, members::Remote, unavailable};

/// The most members that one call is tried with.
const TRIED_MAX: usize = 3;

/// A member to be asked, and whether it shall serve although it may not own the repository.
pub(super) struct Candidate {
    remote: Arc<Remote>,
    failover: bool,
}

/// A deletion that may be made again by another member. What is not there any more is then what an attempt has removed whose answer was not heard.
#[derive(Default)]
pub(super) struct Deletion {
    unheard: AtomicBool,
}

impl Deletion {
    /// Makes an attempt.
    pub(super) async fn attempt(&self, attempt: impl Future<Output = Result<()>>) -> Result<()> {
        match attempt.await {
            Err(error) if Unreachable::caused(&error) => {
                self.unheard.store(true, Ordering::Relaxed);
                Err(error)
            }
            Err(Error::NameUnknown { .. } | Error::ManifestUnknown { .. } | Error::BlobUnknown { .. } | Error::UploadUnknown { .. })
                if self.unheard.load(Ordering::Relaxed) =>
            {
                Ok(())
            }
            answer => answer,
        }
    }
}

impl ClusterRegistry {
    /// What the owner of a repository answers, or who comes after it if it cannot be reached; a move is followed once.
    ///
    /// `call` must be safe to be made again: it says itself when it cannot be.
    pub(super) async fn ask<T, F>(
        &self,
        cx: &Context,
        repository: &RepositoryName,
        call: impl Fn(Arc<Remote>, Context) -> F + Send + Sync,
    ) -> Result<T>
    where
        T: Send,
        F: Future<Output = Result<T>> + Send,
    {
        let placement = self.directory.placement()?;
        let candidates = self.candidates(&placement, placement.candidates(repository))?;
        let moved = match self.ask_by(&placement, cx, candidates, &call).await {
            Err(Error::Moved { view }) => view,
            answer => return answer,
        };
        let newer = self.directory.reach(moved).await?;
        let mut candidates = self.candidates(&newer, newer.candidates(repository))?;
        // It is followed once: should it move again meanwhile, whoever reaches the stores serves it.
        candidates.iter_mut().for_each(|candidate| candidate.failover = true);
        match self.ask_by(&newer, cx, candidates, &call).await {
            Err(Error::Moved { .. }) => Err(unavailable("repository moved twice while it was asked for")),
            answer => answer,
        }
    }

    /// What the first of some members that can be reached answers.
    pub(super) async fn ask_by<T, F>(
        &self,
        placement: &Placement,
        cx: &Context,
        candidates: Vec<Candidate>,
        call: &(impl Fn(Arc<Remote>, Context) -> F + Send + Sync),
    ) -> Result<T>
    where
        T: Send,
        F: Future<Output = Result<T>> + Send,
    {
        let mut failed = unavailable("no member can own repositories at the moment");
        for Candidate { remote, failover } in candidates {
            let cx = cx.clone().routed(Routed { view: placement.view().number, failover });
            match call(Arc::clone(&remote), cx).await {
                Err(error) if Unreachable::caused(&error) => {
                    remote.lose();
                    failed = error;
                }
                answer => {
                    remote.find();
                    return answer;
                }
            }
        }
        Err(failed)
    }

    /// Whom to ask, in order: those who did not answer lately come last. With local storage nobody can stand in for the owner.
    pub(super) fn candidates<'a>(&self, placement: &Placement, members: impl Iterator<Item = &'a Member>) -> Result<Vec<Candidate>> {
        let most = match placement.view().storage {
            Storage::Shared => TRIED_MAX,
            Storage::Local => 1,
        };
        let mut candidates = Vec::with_capacity(most);
        for member in members.take(most) {
            let remote = self.members.remote(member, placement.view())?;
            candidates.push(Candidate { remote, failover: !candidates.is_empty() });
        }
        candidates.sort_by_key(|candidate| candidate.remote.is_passed_over());
        Ok(candidates)
    }
}

#[cfg(test)]
mod tests {
    use zot_oci::Digest;

    use super::*;

    fn unknown() -> Error {
        Error::BlobUnknown { repository: "a".parse().unwrap(), digest: Digest::sha256(b"a") }
    }

    #[tokio::test]
    async fn what_is_not_there_was_not_deleted_unless_an_attempt_was_not_heard() {
        let deletion = Deletion::default();
        assert!(matches!(deletion.attempt(async { Err(unknown()) }).await, Err(Error::BlobUnknown { .. })));
        deletion.unheard.store(true, Ordering::Relaxed);
        assert!(deletion.attempt(async { Err(unknown()) }).await.is_ok());
    }
}
