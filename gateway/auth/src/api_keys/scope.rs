//! The scopes of an API key, as its owner writes them: `team/**`, `team/app:read,create` or, as tokens have them, `repository:team/app:pull,push`.

use crate::authz::{Action, ActionSet, Pattern, Scope, ScopeTarget};

/// The characters that make a text a pattern of names.
const SPECIAL: [char; 6] = ['*', '?', '[', ']', '{', '}'];

/// A text is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidScope {
    /// It names no repositories.
    #[error("scope `{scope}` names no repository")]
    Repository {
        /// The scope.
        scope: String,
    },
    /// It names something that cannot be done.
    #[error("scope `{scope}` names `{action}`, known are: read, create, update, delete, pull, push, *")]
    Action {
        /// The scope.
        scope: String,
        /// What it names.
        action: String,
    },
}

/// What a text grants: all that can be done to content where it names nothing.
pub(super) fn parse(text: &str) -> Result<Scope, InvalidScope> {
    let token = text.strip_prefix("repository:").filter(|rest| rest.contains(':'));
    let (repositories, actions) = match token.unwrap_or(text).split_once(':') {
        Some((repositories, actions)) => (repositories, named(text, actions)?),
        None => (text, ActionSet::CONTENT.into_iter().collect()),
    };
    let target = target(repositories).ok_or_else(|| InvalidScope::Repository { scope: text.to_owned() })?;
    Ok(Scope { target, actions })
}

fn target(repositories: &str) -> Option<ScopeTarget> {
    if !repositories.contains(SPECIAL) {
        return (!repositories.is_empty()).then(|| ScopeTarget::Repository(repositories.to_owned()));
    }
    Pattern::new(repositories).ok().map(ScopeTarget::Pattern)
}

fn named(scope: &str, actions: &str) -> Result<ActionSet, InvalidScope> {
    actions.split(',').try_fold(ActionSet::default(), |all, action| {
        let unknown = || InvalidScope::Action { scope: scope.to_owned(), action: action.to_owned() };
        Ok(all.union(of_word(action.trim()).ok_or_else(unknown)?))
    })
}

fn of_word(word: &str) -> Option<ActionSet> {
    let actions: &[Action] = match word {
        "read" | "pull" => &[Action::Read],
        "create" => &[Action::Create],
        "update" => &[Action::Update],
        "push" => &[Action::Create, Action::Update],
        "delete" => &[Action::Delete],
        "*" => &ActionSet::CONTENT,
        _ => return None,
    };
    Some(actions.iter().copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(scope: &str, repository: &str) -> Vec<Action> {
        let scope = parse(scope).unwrap();
        ActionSet::CONTENT.into_iter().filter(|action| scope.grants(*action, repository)).collect()
    }

    #[test]
    fn a_scope_grants_what_it_says_and_no_more() {
        let all = ActionSet::CONTENT.to_vec();
        for (scope, repository, expected) in [
            ("team/app", "team/app", all.clone()),
            ("team/app", "team/app2", vec![]),
            ("team/*", "team/app", all.clone()),
            ("team/*", "team/app/web", vec![]),
            ("team/**", "team/app/web", all.clone()),
            ("team/**", "team", all.clone()),
            ("team/**", "teams/app", vec![]),
            ("team/{app,web}", "team/web", all.clone()),
            ("team/[^a]*", "team/app", vec![]),
            ("**", "anything/at/all", all.clone()),
            ("team/**:read", "team/app", vec![Action::Read]),
            ("team/**:read,delete", "team/app", vec![Action::Read, Action::Delete]),
            ("team/app:*", "team/app", all.clone()),
            ("repository:team/app:pull,push", "team/app", vec![Action::Read, Action::Create, Action::Update]),
            ("repository:team/app:pull", "team/other", vec![]),
            ("repository:read", "repository", vec![Action::Read]),
        ] {
            assert_eq!(granted(scope, repository), expected, "{scope} on {repository}");
        }
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        for text in ["", ":read", "a:", "a:write", "a:read,", "a:READ", "repository:a:b:pull", "registry:catalog:*", "a/[b"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
