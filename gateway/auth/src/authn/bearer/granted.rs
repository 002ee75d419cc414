//! The `access` claim of a token of the registry token protocol: what it is good for.

use serde_json::Value;

use crate::authz::{Action, ActionSet, Scope, ScopeTarget};

/// What `access` grants at `now`, in seconds since 1970. What is not understood grants nothing.
pub(super) fn scopes(access: Option<&Value>, now: f64) -> Vec<Scope> {
    access.and_then(Value::as_array).into_iter().flatten().filter_map(|entry| scope(entry, now)).collect()
}

fn scope(entry: &Value, now: f64) -> Option<Scope> {
    // An entry may end sooner than its token.
    if let Some(expiry) = entry.get("exp")
        && expiry.as_f64().is_none_or(|expiry| expiry <= now)
    {
        return None;
    }
    let text = |key| entry.get(key).and_then(Value::as_str);
    let actions = entry.get("actions")?.as_array()?.iter().filter_map(Value::as_str);
    match (text("type")?, text("name")?) {
        ("repository", name) => {
            let actions = actions.fold(ActionSet::default(), |all, action| all.union(content(action)));
            let target = ScopeTarget::Repository(name.to_owned());
            (actions != ActionSet::default()).then_some(Scope { target, actions })
        }
        ("registry", "catalog") => {
            let mut actions = actions;
            let listing = || [Action::Read].into_iter().collect();
            actions.any(|action| action == "*").then(|| Scope { target: ScopeTarget::Catalog, actions: listing() })
        }
        _ => None,
    }
}

fn content(action: &str) -> ActionSet {
    match action {
        "pull" => [Action::Read].into_iter().collect(),
        "push" => [Action::Create, Action::Update].into_iter().collect(),
        "delete" => [Action::Delete].into_iter().collect(),
        "*" => ActionSet::CONTENT.into_iter().collect(),
        _ => ActionSet::default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn granted(access: Value) -> Vec<Scope> {
        scopes(Some(&access), 1000.0)
    }

    fn allowed(scopes: &[Scope], repository: &str) -> Vec<Action> {
        ActionSet::CONTENT.into_iter().filter(|action| scopes.iter().any(|scope| scope.grants(*action, repository))).collect()
    }

    #[test]
    fn each_word_grants_what_it_says_and_no_more() {
        for (words, expected) in [
            (json!(["pull"]), vec![Action::Read]),
            (json!(["push"]), vec![Action::Create, Action::Update]),
            (json!(["delete"]), vec![Action::Delete]),
            (json!(["pull", "push"]), vec![Action::Read, Action::Create, Action::Update]),
            (json!(["*"]), ActionSet::CONTENT.to_vec()),
            (json!(["PULL", "admin", 7, null]), vec![]),
            (json!([]), vec![]),
            (json!("pull"), vec![]),
        ] {
            let scopes = granted(json!([{"type": "repository", "name": "a/b", "actions": words}]));
            assert_eq!(allowed(&scopes, "a/b"), expected, "{words}");
            assert_eq!(allowed(&scopes, "a"), [], "{words}");
            assert_eq!(allowed(&scopes, "a/b/c"), [], "{words}");
        }
    }

    #[test]
    fn the_catalog_is_a_thing_of_its_own() {
        let scopes = granted(json!([{"type": "registry", "name": "catalog", "actions": ["*"]}]));
        assert!(matches!(scopes[..], [Scope { target: ScopeTarget::Catalog, .. }]));
        assert_eq!(allowed(&scopes, "catalog"), []);
        assert!(granted(json!([{"type": "registry", "name": "catalog", "actions": ["pull"]}])).is_empty());
        assert!(granted(json!([{"type": "registry", "name": "other", "actions": ["*"]}])).is_empty());
    }

    #[test]
    fn an_entry_may_end_before_its_token() {
        let entry = |expiry: Value| json!([{"type": "repository", "name": "a", "actions": ["pull"], "exp": expiry}]);
        assert_eq!(granted(entry(json!(1001))).len(), 1);
        for past in [json!(1000), json!(999.5), json!("2000"), json!(null), json!([])] {
            assert!(granted(entry(past.clone())).is_empty(), "{past}");
        }
    }

    #[test]
    fn what_is_not_understood_grants_nothing() {
        for access in [
            json!(null),
            json!("repository:a:pull"),
            json!({"type": "repository", "name": "a", "actions": ["pull"]}),
            json!([["repository", "a", "pull"]]),
            json!([{"type": "repository", "name": "a"}]),
            json!([{"type": "repository", "actions": ["pull"]}]),
            json!([{"type": "repository", "name": ["a"], "actions": ["pull"]}]),
            json!([{"type": "repository(plugin)", "name": "a", "actions": ["pull"]}]),
            json!([{"name": "a", "actions": ["pull"]}]),
        ] {
            assert!(granted(access.clone()).is_empty(), "{access}");
        }
        assert!(scopes(None, 0.0).is_empty());
    }
}
