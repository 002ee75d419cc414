//! How a call finds the member that answers it.

use std::{future, sync::Arc};

use futures::{StreamExt as _, stream::FuturesUnordered};
use zot_cluster::{Member, Placement, State, Storage};
use zot_contract::{Context, Error, Operation, OperationId, Result, Routed, UserName};
use zot_oci::RepositoryName;
use zot_proto::Unreachable;

use super::{ClusterRegistry, members::Remote, unavailable};

/// The most members that one call is tried with.
const TRIED_MAX: usize = 3;

/// Whether a call may be under way at several members at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// It may: the first answer is as good as any.
    Read,
    /// The next member is asked only once it is known that the one before will not be heard.
    Change,
}

/// What a call is about, as far as it decides whom to ask.
#[derive(Debug, Clone, Copy)]
pub(super) enum About<'a> {
    Repository(&'a RepositoryName),
    User(&'a UserName),
}

impl<'a> From<&'a RepositoryName> for About<'a> {
    fn from(repository: &'a RepositoryName) -> Self {
        Self::Repository(repository)
    }
}

impl<'a> From<&'a UserName> for About<'a> {
    fn from(user: &'a UserName) -> Self {
        Self::User(user)
    }
}

/// A member to be asked, and whether it shall serve although it may not own the repository.
pub(super) struct Candidate {
    remote: Arc<Remote>,
    failover: bool,
}

impl ClusterRegistry {
    /// What the owner of what a call is about answers, or who comes after it if it cannot be reached; a move is followed once.
    ///
    /// `call` must be safe to be made again: it says itself when it cannot be. All attempts at a change name it alike where others may make it too.
    pub(super) async fn ask<T, F>(
        &self,
        cx: &Context,
        about: impl Into<About<'_>> + Send,
        act: Act,
        call: impl Fn(Arc<Remote>, Context) -> F + Send + Sync,
    ) -> Result<T>
    where
        T: Send,
        F: Future<Output = Result<T>> + Send,
    {
        let about = about.into();
        let placement = self.directory.placement()?;
        let cx = &match act {
            Act::Change if placement.view().storage == Storage::Shared => attempting(cx),
            Act::Change | Act::Read => cx.clone(),
        };
        let candidates = self.candidates_for(&placement, about)?;
        let moved = match self.ask_by(&placement, cx, candidates, act, &call).await {
            Err(Error::Moved { view }) => view,
            answer => return answer,
        };
        let newer = self.directory.reach(moved).await?;
        let mut candidates = self.candidates_for(&newer, about)?;
        // It is followed once: should it move again meanwhile, whoever reaches the stores serves it.
        candidates.iter_mut().for_each(|candidate| candidate.failover = true);
        match self.ask_by(&newer, &cx.clone().again(), candidates, act, &call).await {
            Err(Error::Moved { .. }) => Err(unavailable("what was asked for moved twice meanwhile")),
            answer => answer,
        }
    }

    /// What the first of some members that can be reached answers.
    ///
    /// A member that falls silent is asked last from then on. A read is then put to the next one as well, and the first answer counts: but for one
    /// that says that a member cannot tell, for as long as another may.
    pub(super) async fn ask_by<T, F>(
        &self,
        placement: &Placement,
        cx: &Context,
        candidates: Vec<Candidate>,
        act: Act,
        call: &(impl Fn(Arc<Remote>, Context) -> F + Send + Sync),
    ) -> Result<T>
    where
        T: Send,
        F: Future<Output = Result<T>> + Send,
    {
        let mut failed = unavailable("no member can own repositories at the moment");
        let mut asked = FuturesUnordered::new();
        let mut candidates = candidates.into_iter();
        let mut cx = cx.clone();
        loop {
            let next = candidates.next();
            if next.is_none() && asked.is_empty() {
                return Err(failed);
            }
            let newest = next.as_ref().map(|candidate| Arc::clone(&candidate.remote));
            if let Some(Candidate { remote, failover }) = next {
                let routed = cx.clone().routed(Routed { view: placement.view().number, failover });
                asked.push(async move { (call(Arc::clone(&remote), routed).await, remote) });
                cx = cx.again();
            }
            let silence = silence(newest, act);
            tokio::pin!(silence);
            loop {
                let answered = tokio::select! {
                    answered = asked.next() => answered,
                    () = &mut silence => break,
                };
                match answered {
                    Some((Err(error), remote)) if Unreachable::caused(&error) => {
                        remote.lose();
                        failed = error;
                        break;
                    }
                    Some((Err(error @ Error::Unavailable { .. }), remote)) if !asked.is_empty() => {
                        remote.find();
                        failed = error;
                    }
                    Some((answer, remote)) => {
                        remote.find();
                        return answer;
                    }
                    None => break,
                }
            }
        }
    }

    fn candidates_for(&self, placement: &Placement, about: About<'_>) -> Result<Vec<Candidate>> {
        match about {
            About::Repository(repository) => self.candidates(placement, placement.candidates(repository)),
            About::User(user) => self.candidates(placement, placement.candidates_of_user(user.as_str()).into_iter()),
        }
    }

    /// Whom to ask, in order: those who do not answer come last. With local storage nobody can stand in for the owner.
    pub(super) fn candidates<'a>(&self, placement: &'a Placement, members: impl Iterator<Item = &'a Member>) -> Result<Vec<Candidate>> {
        let view = placement.view();
        let mut members: Vec<&Member> = members.collect();
        let most = match view.storage {
            Storage::Shared => TRIED_MAX,
            Storage::Local => 1,
        };
        // Whom the others do not hear may be heard from here.
        if !members.is_empty() {
            members.extend(view.members.iter().filter(|member| member.state == State::Down));
        }
        let mut candidates = Vec::with_capacity(most);
        for member in members.into_iter().take(most) {
            let remote = self.members.remote(member, view)?;
            candidates.push(Candidate { remote, failover: !candidates.is_empty() });
        }
        candidates.sort_by_key(|candidate| candidate.remote.is_lost());
        Ok(candidates)
    }
}

/// The context of the first attempt at a change, unless whoever asks for it has begun already.
fn attempting(cx: &Context) -> Context {
    let cx = cx.clone();
    if cx.operation.is_some() { cx } else { cx.attempting(Operation { id: OperationId::new(), again: false }) }
}

/// Ends when the member that was asked last falls silent, if another one may be asked then.
async fn silence(asked: Option<Arc<Remote>>, act: Act) {
    if let Some(remote) = asked {
        remote.falls_silent().await;
        remote.lose();
        if act == Act::Read {
            return;
        }
    }
    future::pending().await
}
