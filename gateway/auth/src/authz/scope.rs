//! What a token or an API key is good for.

use super::{Action, Pattern};

/// Some actions on some repositories.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Which repositories.
    pub target: ScopeTarget,
    /// Which actions.
    pub actions: ActionSet,
}

/// The repositories that a scope is about.
#[derive(Debug, Clone)]
pub enum ScopeTarget {
    /// The one of that name.
    Repository(String),
    /// Those that match.
    Pattern(Pattern),
    /// The list of repositories, not what is in them.
    Catalog,
}

impl Scope {
    /// Whether it grants `action` on `repository`.
    pub fn grants(&self, action: Action, repository: &str) -> bool {
        self.actions.contains(action)
            && match &self.target {
                ScopeTarget::Repository(name) => name == repository,
                ScopeTarget::Pattern(pattern) => pattern.matches(repository),
                ScopeTarget::Catalog => false,
            }
    }
}

/// A set of actions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ActionSet(u8);

impl ActionSet {
    /// Every action on content; not the request to be told of collisions, which only narrows what a deletion does.
    pub const CONTENT: [Action; 4] = [Action::Read, Action::Create, Action::Update, Action::Delete];

    /// Whether `action` is in it.
    pub fn contains(self, action: Action) -> bool {
        self.0 & Self::bit(action) != 0
    }

    /// Whether nothing is in it.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// The actions that are in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn bit(action: Action) -> u8 {
        match action {
            Action::Read => 1,
            Action::Create => 2,
            Action::Update => 4,
            Action::Delete => 8,
            Action::DetectManifestCollision => 16,
        }
    }
}

impl FromIterator<Action> for ActionSet {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        Self(actions.into_iter().fold(0, |bits, action| bits | Self::bit(action)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_grants_its_actions_on_its_repository_alone() {
        let scope =
            Scope { target: ScopeTarget::Repository("a".to_owned()), actions: [Action::Read, Action::Create].into_iter().collect() };
        assert!(scope.grants(Action::Read, "a") && scope.grants(Action::Create, "a"));
        assert!(!scope.grants(Action::Delete, "a") && !scope.grants(Action::Read, "a/b"));
    }
}
