//! `http.accessControl`, compiled: rules of repositories that are found by name, users by group, and what administrators may do.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use zot_config::{
    KeyPath, Problem,
    http::{
        AccessControl,
        access_control::{self as written, Action},
    },
};

use super::{
    ActionSet, Wish,
    condition::{Condition, Language},
    pattern::Pattern,
};
use crate::Identity;

/// All rules of a configuration.
#[derive(Debug)]
pub(super) struct Rules {
    /// Those of repositories, the one that decides first: the longest pattern, and of equally long ones the first in bytewise order.
    repositories: Vec<RepositoryRules>,
    places: Places,
    /// What administrators may do.
    pub(super) admin: Grant,
    /// The groups of the configuration that each user is in.
    groups: HashMap<Box<str>, Vec<Arc<str>>>,
    /// What conditions are evaluated with.
    pub(super) language: Language,
}

/// The rules of the repositories that a pattern matches.
#[derive(Debug)]
pub(super) struct RepositoryRules {
    pattern: Pattern,
    grants: Vec<Grant>,
    /// What everybody who is known may do.
    default: ActionSet,
    /// What nobody in particular may do.
    pub(super) anonymous: ActionSet,
}

/// What some users may do.
#[derive(Debug)]
pub(super) struct Grant {
    users: HashSet<Box<str>>,
    groups: HashSet<Box<str>>,
    actions: ActionSet,
    conditions: Vec<Condition>,
}

impl Rules {
    /// Compiles what is written at `path`.
    ///
    /// # Errors
    /// Everything that cannot be compiled.
    pub(super) fn compile(written: &AccessControl, path: &KeyPath) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let language = match Language::new() {
            Ok(language) => language,
            Err(message) => return Err(vec![Problem { path: path.clone(), message }]),
        };
        let mut repositories = Vec::new();
        for (text, policies) in &written.repositories {
            let path = path.key("repositories").entry(text);
            let pattern = Pattern::new(text);
            if let Err(error) = &pattern {
                problems.push(Problem { path: path.clone(), message: format!("syntax error in pattern {text:?}: {error}") });
            }
            let grants = grants(&language, &policies.policies, &path.key("policies"), &mut problems);
            if let Ok(pattern) = pattern {
                let (default, anonymous) = (set(&policies.default_policy), set(&policies.anonymous_policy));
                repositories.push(RepositoryRules { pattern, grants, default, anonymous });
            }
        }
        let admin = grant(&language, &written.admin_policy, &path.key("adminPolicy"), &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        // The map is in bytewise order, and the sort keeps it.
        repositories.sort_by_key(|rules| std::cmp::Reverse(rules.pattern.as_str().len()));
        let places = Places::of(&repositories);
        Ok(Self { repositories, places, admin, groups: groups(&written.groups), language })
    }

    /// The rules that decide on a repository.
    pub(super) fn of(&self, repository: &str) -> Option<&RepositoryRules> {
        self.places.first(repository, |place| self.repositories[place].pattern.matches(repository)).map(|place| &self.repositories[place])
    }

    /// The rules of all repositories.
    pub(super) fn all(&self) -> &[RepositoryRules] {
        &self.repositories
    }

    /// Whether there is no repository without rules.
    pub(super) fn are_everywhere(&self) -> bool {
        self.repositories.iter().any(|rules| rules.pattern.matches_everything())
    }

    /// Whether somebody is granted something, where `holds` tells of the conditions.
    pub(super) fn grant(&self, who: &Identity, wish: &Wish<'_>, mut holds: impl FnMut(&[Condition]) -> bool) -> bool {
        self.of(wish.repository).is_some_and(|rules| rules.grant(who, wish.action, &mut holds))
            || self.admin.grants(who, wish.action, &mut holds)
    }

    /// The groups of the configuration that a user is in.
    pub(super) fn groups_of(&self, user: &str) -> &[Arc<str>] {
        self.groups.get(user).map_or(&[], Vec::as_slice)
    }
}

impl RepositoryRules {
    /// Whether they grant something to somebody.
    pub(super) fn grant(&self, who: &Identity, action: Action, holds: &mut impl FnMut(&[Condition]) -> bool) -> bool {
        let everybody = if who.is_anonymous() { self.anonymous } else { self.default };
        everybody.contains(action) || self.grants.iter().any(|grant| grant.grants(who, action, holds))
    }

    /// Whether they grant anything to those who are known.
    pub(super) fn are_for_users(&self) -> bool {
        !self.default.is_empty() || self.grants.iter().any(Grant::is_of_use)
    }
}

impl Grant {
    /// Whether it grants something to somebody.
    pub(super) fn grants(&self, who: &Identity, action: Action, holds: &mut impl FnMut(&[Condition]) -> bool) -> bool {
        self.actions.contains(action) && self.is_for(who) && holds(&self.conditions)
    }

    /// Whether somebody is meant.
    pub(super) fn is_for(&self, who: &Identity) -> bool {
        who.user().is_some_and(|user| self.users.contains(user))
            || (!self.groups.is_empty() && who.groups.iter().any(|group| self.groups.contains(&**group)))
    }

    /// Whether anybody is meant, and for anything.
    pub(super) fn is_of_use(&self) -> bool {
        !(self.actions.is_empty() || self.users.is_empty() && self.groups.is_empty())
    }
}

/// Where the rules are that a repository can have, by what its name begins with: with a thousand patterns only a few are tried.
#[derive(Debug, Default)]
struct Places(BTreeMap<usize, HashMap<Box<str>, Vec<usize>>>);

impl Places {
    fn of(repositories: &[RepositoryRules]) -> Self {
        let mut places = Self::default();
        for (place, rules) in repositories.iter().enumerate() {
            let prefixes: HashSet<String> = rules.pattern.prefixes().collect();
            for prefix in prefixes {
                places.0.entry(prefix.len()).or_default().entry(prefix.into()).or_default().push(place);
            }
        }
        places
    }

    /// The first place of which `matches` holds.
    fn first(&self, name: &str, matches: impl Fn(usize) -> bool) -> Option<usize> {
        let mut first: Option<usize> = None;
        for (length, beginnings) in self.0.range(..=name.len()) {
            let places = name.get(..*length).and_then(|beginning| beginnings.get(beginning));
            let better = places.into_iter().flatten().copied().take_while(|place| first.is_none_or(|first| *place < first));
            first = better.into_iter().find(|place| matches(*place)).or(first);
        }
        first
    }
}

fn grants(language: &Language, policies: &[written::Policy], path: &KeyPath, problems: &mut Vec<Problem>) -> Vec<Grant> {
    policies.iter().enumerate().map(|(index, policy)| grant(language, policy, &path.index(index), problems)).collect()
}

fn grant(language: &Language, policy: &written::Policy, path: &KeyPath, problems: &mut Vec<Problem>) -> Grant {
    let mut conditions = Vec::new();
    for (index, condition) in policy.conditions.iter().enumerate() {
        match language.compile(&condition.expression, condition.message.as_deref()) {
            Ok(condition) => conditions.push(condition),
            Err(reason) => {
                let path = path.key("conditions").index(index).key("expression");
                problems.push(Problem { path, message: format!("invalid condition {:?}: {reason}", condition.expression) });
            }
        }
    }
    let names = |names: &[String]| names.iter().map(|name| name.as_str().into()).collect();
    Grant { users: names(&policy.users), groups: names(&policy.groups), actions: set(&policy.actions), conditions }
}

fn set(actions: &[Action]) -> ActionSet {
    actions.iter().copied().collect()
}

fn groups(written: &BTreeMap<String, written::Group>) -> HashMap<Box<str>, Vec<Arc<str>>> {
    let mut groups: HashMap<Box<str>, Vec<Arc<str>>> = HashMap::new();
    for (name, group) in written {
        let name: Arc<str> = name.as_str().into();
        for user in group.users.iter().filter(|user| !user.is_empty()) {
            groups.entry(user.as_str().into()).or_default().push(Arc::clone(&name));
        }
    }
    groups
}
