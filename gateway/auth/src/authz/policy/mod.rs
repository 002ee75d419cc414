//! What an identity may do. A decision looks at nothing but what is passed to it, the rules, and for conditions the clock.
//!
//! The rules of the longest pattern that matches a repository decide alone; of equally long patterns the first in bytewise order. What they grant
//! adds up: to users and groups by name, to everybody who is known, to nobody in particular. Whatever they say, administrators may do what
//! `adminPolicy` lists. Actions imply nothing of each other.

use std::sync::Arc;

use zot_config::{KeyPath, Problem, http::AccessControl};

use super::{
    Action, Scope, ScopeTarget,
    condition::{Condition, Facts, Held},
    rules::{RepositoryRules, Rules},
};
use crate::{Identity, Rights, authn::Asked};

/// Who may do what.
#[derive(Debug, Default)]
pub struct Policy {
    basis: Basis,
}

#[derive(Debug, Default)]
enum Basis {
    /// Everybody everything: nobody is asked who they are.
    #[default]
    Everybody,
    /// Everybody who is known everything, nobody else anything: people are asked who they are, and no rules are written.
    Known,
    /// What the rules say.
    Rules(Box<Rules>),
}

/// Something that somebody wants to do.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// What.
    pub action: Action,
    /// To which repository.
    pub repository: &'a str,
    /// To which of its manifests, by tag or digest, if to one.
    pub reference: Option<&'a str>,
}

/// Whether somebody may do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Granted,
    /// No, for a reason that the rules may have a text for.
    Denied(Option<Arc<str>>),
}

impl Decision {
    /// Whether it is a yes.
    pub fn is_granted(&self) -> bool {
        *self == Self::Granted
    }
}

impl Policy {
    /// What holds where no rules are written: everything is for everybody, or if people are asked who they are, for everybody who is known.
    pub fn without_rules(people_are_asked: bool) -> Self {
        Self { basis: if people_are_asked { Basis::Known } else { Basis::Everybody } }
    }

    /// Compiles `http.accessControl`.
    ///
    /// # Errors
    /// Everything in it that cannot be compiled.
    pub fn compile(written: &AccessControl) -> Result<Self, Vec<Problem>> {
        let rules = Rules::compile(written, &KeyPath::of("http.accessControl"))?;
        Ok(Self { basis: Basis::Rules(Box::new(rules)) })
    }

    /// Whether somebody may do something, asking for it as `asked` says.
    pub fn decide(&self, who: &Identity, asked: &Asked<'_>, wish: &Wish<'_>) -> Decision {
        match self.by_proof(who, wish) {
            Some(decision) => decision,
            None => self.by_policy(who, asked, wish),
        }
    }

    /// What the proof alone decides.
    fn by_proof(&self, who: &Identity, wish: &Wish<'_>) -> Option<Decision> {
        let granted = |scopes: &[Scope]| scopes.iter().any(|scope| scope.grants(wish.action, wish.repository));
        match &who.rights {
            Rights::OfUser => None,
            Rights::Narrowed(scopes) => (!granted(scopes)).then_some(Decision::Denied(None)),
            Rights::Granted(scopes) => Some(if granted(scopes) { Decision::Granted } else { Decision::Denied(None) }),
        }
    }

    fn by_policy(&self, who: &Identity, asked: &Asked<'_>, wish: &Wish<'_>) -> Decision {
        let rules = match &self.basis {
            Basis::Everybody => return Decision::Granted,
            Basis::Known if who.is_anonymous() => return Decision::Denied(None),
            Basis::Known => return Decision::Granted,
            Basis::Rules(rules) => rules,
        };
        let facts = Facts::new(&rules.language, who, asked, wish, rules.admin.is_for(who));
        let mut reason = None;
        let granted = rules.grant(who, wish, |conditions| match facts.hold(conditions) {
            Held::Yes => true,
            Held::No(message) => {
                reason = message.or(reason.take());
                false
            }
        });
        if granted { Decision::Granted } else { Decision::Denied(reason) }
    }

    /// Whether a repository is shown to somebody in lists. Conditions are taken to hold: they may be about what is not known yet.
    pub fn lists(&self, who: &Identity, repository: &str) -> bool {
        let wish = Wish { action: Action::Read, repository, reference: None };
        match self.by_proof(who, &wish) {
            Some(_) if self.lists_everything(who) => true,
            Some(decision) => decision.is_granted(),
            None => self.grants_whenever(who, &wish, |_| true),
        }
    }

    /// Whether the proof is good for the list of repositories as such, whatever is on it.
    pub fn lists_everything(&self, who: &Identity) -> bool {
        let catalog = |scope: &Scope| matches!(scope.target, ScopeTarget::Catalog) && scope.actions.contains(Action::Read);
        matches!(&who.rights, Rights::Granted(scopes) if scopes.iter().any(catalog))
    }

    /// Whether somebody is to be told, instead of having the manifest deleted, that it has more than one tag. Conditions are taken to hold.
    pub fn detects_collisions(&self, who: &Identity, repository: &str) -> bool {
        let wish = Wish { action: Action::DetectManifestCollision, repository, reference: None };
        match &self.basis {
            Basis::Rules(_) if !matches!(who.rights, Rights::Granted(_)) => self.grants_whenever(who, &wish, |_| true),
            _ => false,
        }
    }

    /// Whether there is surely no repository that somebody may not read, whatever conditions say.
    pub fn reads_everything(&self, who: &Identity) -> bool {
        match (&who.rights, &self.basis) {
            (Rights::Narrowed(_) | Rights::Granted(_), _) => false,
            (Rights::OfUser, Basis::Everybody) => true,
            (Rights::OfUser, Basis::Known) => !who.is_anonymous(),
            (Rights::OfUser, Basis::Rules(rules)) => {
                let mut unconditional = |conditions: &[Condition]| conditions.is_empty();
                rules.admin.grants(who, Action::Read, &mut unconditional)
                    || (rules.are_everywhere() && rules.all().iter().all(|found| found.grant(who, Action::Read, &mut unconditional)))
            }
        }
    }

    fn grants_whenever(&self, who: &Identity, wish: &Wish<'_>, holds: impl FnMut(&[Condition]) -> bool) -> bool {
        match &self.basis {
            Basis::Everybody => true,
            Basis::Known => !who.is_anonymous(),
            Basis::Rules(rules) => rules.grant(who, wish, holds),
        }
    }

    /// Whether somebody is an administrator: named by `adminPolicy`, whatever that grants and under which conditions; without rules everybody who may
    /// do everything. Whose proof is good for less is none.
    pub fn is_admin(&self, who: &Identity) -> bool {
        let named = match &self.basis {
            Basis::Everybody => true,
            Basis::Known => !who.is_anonymous(),
            Basis::Rules(rules) => rules.admin.is_for(who),
        };
        named && matches!(who.rights, Rights::OfUser)
    }

    /// Whether nobody in particular may do anything somewhere.
    pub fn lets_anybody_in(&self) -> bool {
        match &self.basis {
            Basis::Everybody => true,
            Basis::Known => false,
            Basis::Rules(rules) => rules.all().iter().any(|rules| !rules.anonymous.is_empty()),
        }
    }

    /// Whether it makes a difference who somebody is.
    pub fn tells_users_apart(&self) -> bool {
        match &self.basis {
            Basis::Everybody => false,
            Basis::Known => true,
            Basis::Rules(rules) => rules.admin.is_of_use() || rules.all().iter().any(RepositoryRules::are_for_users),
        }
    }

    /// The groups of the configuration that a user is in.
    pub fn groups_of(&self, user: &str) -> &[Arc<str>] {
        match &self.basis {
            Basis::Everybody | Basis::Known => &[],
            Basis::Rules(rules) => rules.groups_of(user),
        }
    }
}

#[cfg(test)]
mod tests;
