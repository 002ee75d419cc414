//! The reference model: what was acknowledged, what may have happened, and so what the registry may show.

mod check;
mod register;
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard},
};

pub(crate) use self::{
    check::{Checked, check, nothing_wrong_is_served, push_to_every_repository},
    register::{Register, Value},
};

/// Something that is or is not so in a registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fact {
    Blob { repository: String, digest: String },
    Manifest { repository: String, digest: String },
    Tag { repository: String, tag: String },
}

impl Fact {
    pub(crate) fn blob(repository: &str, digest: &str) -> Self {
        Self::Blob { repository: repository.to_owned(), digest: digest.to_owned() }
    }

    pub(crate) fn manifest(repository: &str, digest: &str) -> Self {
        Self::Manifest { repository: repository.to_owned(), digest: digest.to_owned() }
    }

    pub(crate) fn tag(repository: &str, tag: &str) -> Self {
        Self::Tag { repository: repository.to_owned(), tag: tag.to_owned() }
    }

    pub(crate) fn repository(&self) -> &str {
        match self {
            Self::Blob { repository, .. } | Self::Manifest { repository, .. } | Self::Tag { repository, .. } => repository,
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blob { repository, digest } => write!(f, "blob {digest} of {repository}"),
            Self::Manifest { repository, digest } => write!(f, "manifest {digest} of {repository}"),
            Self::Tag { repository, tag } => write!(f, "tag {tag} of {repository}"),
        }
    }
}

/// What all writers of a test share. A clone is another handle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    clock: u64,
    acknowledged: usize,
    refusals: usize,
    facts: BTreeMap<Fact, Register>,
}

impl State {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }
}

/// A request under way that changes facts. Dropped, it may have happened.
#[must_use = "say whether it was acknowledged"]
pub(crate) struct Pending {
    model: Model,
    began: u64,
    facts: Vec<Fact>,
}

impl Pending {
    /// The registry said that it is done.
    pub(crate) fn acknowledged(self) {
        let mut state = self.model.state();
        let ended = state.tick();
        state.acknowledged += 1;
        for fact in &self.facts {
            if let Some(register) = state.facts.get_mut(fact) {
                register.acknowledge(self.began, ended);
            }
        }
    }
}

impl Model {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no writer panicked with the model in its hands")
    }

    /// A request is about to be sent that gives these facts these values.
    pub(crate) fn begin(&self, changes: impl IntoIterator<Item = (Fact, Value)>) -> Pending {
        let mut state = self.state();
        let began = state.tick();
        let mut facts = Vec::new();
        for (fact, value) in changes {
            state.facts.entry(fact.clone()).or_insert_with(|| Register::settled(None, 0)).begin(value, began);
            facts.push(fact);
        }
        Pending { model: self.clone(), began, facts }
    }

    /// The value of a fact, if it is certain.
    pub(crate) fn certain(&self, fact: &Fact) -> Option<Value> {
        match self.state().facts.get(fact) {
            Some(register) => register.certain().cloned(),
            None => Some(None),
        }
    }

    /// Whether something is certainly there.
    pub(crate) fn has(&self, fact: &Fact) -> bool {
        matches!(self.certain(fact), Some(Some(_)))
    }

    /// Everything that was ever written.
    pub(crate) fn facts(&self) -> Vec<Fact> {
        self.state().facts.keys().cloned().collect()
    }

    /// Now, as [`Model::rewind`] takes it.
    pub(crate) fn now(&self) -> u64 {
        self.state().tick()
    }

    /// The registry goes on from a copy of its disk that was made after `instant`: only what was acknowledged before is certainly in it.
    pub(crate) fn rewind(&self, instant: u64) {
        self.state().facts.values_mut().for_each(|register| register.rewind(instant));
    }

    /// The requests that were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.state().acknowledged
    }

    /// A request was refused for lack of storage.
    pub(crate) fn refused(&self) {
        self.state().refusals += 1;
    }

    /// The requests that were refused for lack of storage.
    pub(crate) fn refusals(&self) -> usize {
        self.state().refusals
    }

    /// The repositories that were ever written to.
    pub(crate) fn repositories(&self) -> BTreeSet<String> {
        self.state().facts.keys().map(|fact| fact.repository().to_owned()).collect()
    }

    /// The tags that a repository certainly has, with their digests.
    pub(crate) fn tags(&self, of: &str) -> BTreeMap<String, String> {
        let state = self.state();
        let tags = state.facts.iter().filter_map(|(fact, register)| match fact {
            Fact::Tag { repository, tag } if repository == of => Some((tag.clone(), register.certain()?.clone()?)),
            _ => None,
        });
        tags.collect()
    }

    /// The manifests that a repository certainly has.
    pub(crate) fn manifests(&self, of: &str) -> BTreeSet<String> {
        let state = self.state();
        let manifests = state.facts.iter().filter_map(|(fact, register)| match fact {
            Fact::Manifest { repository, .. } if repository == of => register.certain()?.clone(),
            _ => None,
        });
        manifests.collect()
    }

    /// The registry shows `value`: an error if it may not, else this is certain from now on.
    fn see(&self, fact: &Fact, value: &Value) -> Result<(), String> {
        let mut state = self.state();
        let now = state.tick();
        let Some(register) = state.facts.get_mut(fact) else { return Err(format!("{fact} was never written")) };
        if !register.permits(value) {
            return Err(format!("{fact} is {value:?}, may be {:?}", register.possible()));
        }
        *register = Register::settled(value.clone(), now);
        Ok(())
    }

    /// Forgets facts that the test does not hold the registry to any more.
    pub(crate) fn forget(&self, matching: impl Fn(&Fact) -> bool) {
        self.state().facts.retain(|fact, _| !matching(fact));
    }
}
