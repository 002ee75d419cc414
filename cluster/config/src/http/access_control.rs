//! `http.accessControl`: who may do what to which repositories.

use std::collections::BTreeMap;

use crate::key_path::KeyPath;
use crate::pattern;
use crate::report::Report;
use crate::setting::section::section;
use crate::setting::word::words;

words! {
    /// What may be done to a repository.
    pub enum Action {
        /// Seeing and pulling.
        "read" => Read,
        /// Pushing what is new.
        "create" => Create,
        /// Pushing over what is there.
        "update" => Update,
        /// Deleting.
        "delete" => Delete,
        /// Being told when a deletion would touch more than the tag.
        "detectManifestCollision" => DetectManifestCollision,
    }
}

section! {
    /// Who may do what to which repositories.
    pub struct AccessControl {
        /// Policies by pattern of repository names; the longest pattern that matches decides.
        "repositories" => repositories: BTreeMap<String, RepositoryPolicies> = BTreeMap::new();
        /// What some may do everywhere.
        "adminPolicy" => admin_policy: Policy = Policy::default();
        /// Users by group, beside the groups that the ways of logging in tell.
        "groups" => groups: BTreeMap<String, Group> = BTreeMap::new();
        /// Who may read the metrics.
        "metrics" => metrics: MetricsPolicy = MetricsPolicy::default();
    }
}

section! {
    /// Who may do what to the repositories that a pattern matches; nobody anything, if empty.
    pub struct RepositoryPolicies {
        /// What some users may do.
        "policies" => policies: Vec<Policy> = Vec::new();
        /// What every other user who is logged in may do.
        "defaultPolicy" => default_policy: Vec<Action> = Vec::new();
        /// What anybody may do.
        "anonymousPolicy" => anonymous_policy: Vec<Action> = Vec::new();
    }
}

section! {
    /// What some users may do.
    pub struct Policy {
        /// The users.
        "users" => users: Vec<String> = Vec::new();
        /// Groups whose users are meant too.
        "groups" => groups: Vec<String> = Vec::new();
        /// What they may do.
        "actions" => actions: Vec<Action> = Vec::new();
        /// What must hold besides.
        "conditions" => conditions: Vec<Condition> = Vec::new();
    }
}

section! {
    /// A condition in CEL.
    pub struct Condition {
        /// The condition.
        "expression" => expression: String = String::new();
        /// What is said when it does not hold.
        "message" => message: Option<String> = None;
    }
}

section! {
    /// The users of a group.
    pub struct Group {
        /// The users.
        "users" => users: Vec<String> = Vec::new();
    }
}

section! {
    /// Who may read the metrics.
    pub struct MetricsPolicy {
        /// The users.
        "users" => users: Vec<String> = Vec::new();
        /// What anybody may do, which can only be to read.
        "anonymousPolicy" => anonymous_policy: Vec<Action> = Vec::new();
    }
}

impl AccessControl {
    /// `others_tell_groups` if some way of logging in tells groups that are not in here.
    pub(super) fn check(&self, can_log_in: bool, others_tell_groups: bool, path: &KeyPath, report: &Report) {
        if !can_log_in && !self.needs_no_login() {
            let message = "access control config requires one of htpasswd, ldap, openid or mTLS authentication \
                           or using only 'anonymousPolicy' policies";
            report.problem(path, message);
        }
        for (glob, policies) in &self.repositories {
            let path = path.key("repositories").entry(glob);
            pattern::check_glob(glob, &path, report);
            for (index, policy) in policies.policies.iter().enumerate() {
                let path = path.key("policies").index(index);
                policy.check(&path, report);
                policy.check_groups(&self.groups, others_tell_groups, &path, report);
                if policy.users.is_empty() && policy.groups.is_empty() {
                    report.warning(&path, "is for nobody: it names neither users nor groups");
                }
            }
        }
        let path = path.key("adminPolicy");
        self.admin_policy.check(&path, report);
        self.admin_policy.check_groups(&self.groups, others_tell_groups, &path, report);
    }

    /// Whether nothing here speaks of users, who could never be told apart without a login.
    fn needs_no_login(&self) -> bool {
        let anonymous_repositories = !self.repositories.is_empty()
            && self.repositories.values().all(RepositoryPolicies::is_anonymous)
            && self.repositories.values().any(|policies| !policies.anonymous_policy.is_empty());
        let anonymous_metrics =
            self.repositories.is_empty() && self.groups.is_empty() && self.metrics.anonymous_policy.contains(&Action::Read);
        self.admin_policy.is_empty() && (anonymous_repositories || anonymous_metrics)
    }
}

impl RepositoryPolicies {
    fn is_anonymous(&self) -> bool {
        self.default_policy.is_empty() && self.policies.iter().all(Policy::is_empty)
    }
}

impl Policy {
    fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty() && self.actions.is_empty()
    }

    /// Warns of groups that nobody can be in. Names are compared as they are written, small and capital letters included.
    fn check_groups(&self, known: &BTreeMap<String, Group>, others_tell_groups: bool, path: &KeyPath, report: &Report) {
        for (index, group) in self.groups.iter().enumerate().filter(|(_, group)| !known.contains_key(*group)) {
            let alike = known.keys().find(|name| name.to_lowercase() == group.to_lowercase());
            let path = path.key("groups").index(index);
            match alike {
                Some(alike) => report.warning(&path, format!("no group is called {group:?}, did you mean {alike:?}?")),
                None if !others_tell_groups => report.warning(&path, format!("nobody can be in {group:?}: no such group is configured")),
                None => {}
            }
        }
    }

    fn check(&self, path: &KeyPath, report: &Report) {
        for (index, _) in self.users.iter().enumerate().filter(|(_, user)| user.is_empty()) {
            report.warning(
                &path.key("users").index(index),
                "nobody has an empty name; what nobody in particular may do is `anonymousPolicy`",
            );
        }
        for (index, condition) in self.conditions.iter().enumerate() {
            if condition.expression.is_empty() {
                report.problem(&path.key("conditions").index(index).key("expression"), "must be set");
            }
        }
    }
}
