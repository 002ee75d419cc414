//! What a directory is asked about a user, and what its answer says.

use ldap3::{Scope, SearchEntry, ldap_escape, parse_filter};
use zot_config::http::auth::Ldap as Settings;

/// The largest name that is looked for, in bytes.
const NAME_BYTES_MAX: usize = 1024;
/// The most groups of a user that are heeded.
const GROUPS_MAX: usize = 1024;

/// How users are looked for.
#[derive(Debug, Clone)]
pub(super) struct Query {
    pub(super) base: String,
    pub(super) scope: Scope,
    /// The attribute with the name that users log in with.
    name_attribute: String,
    /// What users must be besides, in parentheses.
    condition: Option<String>,
    group_attribute: Option<String>,
}

/// Users cannot be looked for as configured.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuery {
    /// `userAttribute` is no attribute.
    #[error("`{0}` is not the name of an attribute")]
    Attribute(String),
    /// `userFilter` is no filter.
    #[error("`{0}` is not a filter of RFC 4515")]
    Filter(String),
}

/// The one entry of a user.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) dn: String,
    /// The name as the directory writes it, whatever case it was typed in.
    pub(super) name: String,
    pub(super) groups: Vec<String>,
}

impl Query {
    pub(super) fn new(settings: &Settings) -> Result<Self, InvalidQuery> {
        let query = Self {
            base: settings.base_dn.clone(),
            scope: if settings.subtree_search { Scope::Subtree } else { Scope::OneLevel },
            name_attribute: settings.user_attribute.clone(),
            condition: settings.user_filter.as_deref().map(str::trim).filter(|filter| !filter.is_empty()).map(in_parentheses),
            group_attribute: settings.user_group_attribute.clone().filter(|attribute| !attribute.is_empty()),
        };
        for attribute in [Some(&query.name_attribute), query.group_attribute.as_ref()].into_iter().flatten() {
            if !is_attribute(attribute) {
                return Err(InvalidQuery::Attribute(attribute.clone()));
            }
        }
        match &query.condition {
            Some(condition) if parse_filter(condition).is_err() => Err(InvalidQuery::Filter(condition.clone())),
            _ => Ok(query),
        }
    }

    /// The filter that finds the user of a name, if it can be anybody's.
    pub(super) fn filter(&self, name: &str) -> Option<String> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return None;
        }
        let named = format!("({}={})", self.name_attribute, ldap_escape(name));
        Some(match &self.condition {
            Some(condition) => format!("(&{named}{condition})"),
            None => named,
        })
    }

    /// The attributes to be told.
    pub(super) fn attributes(&self) -> Vec<&str> {
        [Some(&self.name_attribute), self.group_attribute.as_ref()].into_iter().flatten().map(String::as_str).collect()
    }

    /// The user whose name was typed as `typed`, if exactly one was found.
    pub(super) fn found(&self, typed: &str, mut entries: Vec<SearchEntry>) -> Option<Found> {
        let entry = entries.pop().filter(|_| entries.is_empty())?;
        if entry.dn.is_empty() {
            return None;
        }
        let folded = typed.to_lowercase();
        let mut names = values(&entry, &self.name_attribute).collect::<Vec<_>>().into_iter();
        let first = names.as_slice().first().copied();
        let name = names.find(|name| name.to_lowercase() == folded).or(first).unwrap_or(typed).to_owned();
        let groups = self.group_attribute.iter().flat_map(|attribute| values(&entry, attribute));
        Some(Found { name, groups: groups.take(GROUPS_MAX).map(str::to_owned).collect(), dn: entry.dn.clone() })
    }
}

/// The values of an attribute. Directories answer with its name as their schema writes it.
fn values<'a>(entry: &'a SearchEntry, attribute: &'a str) -> impl Iterator<Item = &'a str> {
    let named = entry.attrs.iter().filter(|(name, _)| name.eq_ignore_ascii_case(attribute));
    named.flat_map(|(_, values)| values).map(String::as_str)
}

fn in_parentheses(filter: &str) -> String {
    if filter.starts_with('(') { filter.to_owned() } else { format!("({filter})") }
}

fn is_attribute(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.;".contains(&byte))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn settings(filter: Option<&str>) -> Settings {
        Settings {
            base_dn: "ou=people,dc=example".to_owned(),
            user_attribute: "uid".to_owned(),
            user_filter: filter.map(str::to_owned),
            user_group_attribute: Some("memberOf".to_owned()),
            ..Settings::default()
        }
    }

    fn filter(condition: Option<&str>, name: &str) -> Option<String> {
        Query::new(&settings(condition)).unwrap().filter(name)
    }

    fn entry(names: &[&str], groups: &[&str]) -> SearchEntry {
        let owned = |values: &[&str]| values.iter().map(ToString::to_string).collect();
        let attrs = HashMap::from([("UID".to_owned(), owned(names)), ("memberof".to_owned(), owned(groups))]);
        SearchEntry { dn: "uid=a,ou=people,dc=example".to_owned(), attrs, bin_attrs: HashMap::new() }
    }

    #[test]
    fn a_condition_is_taken_with_and_without_parentheses() {
        assert_eq!(filter(None, "alice").unwrap(), "(uid=alice)");
        assert_eq!(filter(Some(""), "alice").unwrap(), "(uid=alice)");
        for condition in ["objectClass=person", "(objectClass=person)", " objectClass=person "] {
            assert_eq!(filter(Some(condition), "alice").unwrap(), "(&(uid=alice)(objectClass=person))");
        }
        assert_eq!(filter(Some("|(a=1)(b=2)"), "alice").unwrap(), "(&(uid=alice)(|(a=1)(b=2)))");
    }

    #[test]
    fn a_name_stays_a_value_whatever_it_is_made_of() {
        for (name, escaped) in [
            ("*", r"\2a"),
            ("alice)(uid=*", r"alice\29\28uid=\2a"),
            ("a\\2a", r"a\5c2a"),
            ("a\0", r"a\00"),
            ("*)(|(objectClass=*)", r"\2a\29\28|\28objectClass=\2a\29"),
            ("ä", "ä"),
        ] {
            let made = filter(None, name).unwrap();
            assert_eq!(made, format!("(uid={escaped})"));
            assert!(parse_filter(&made).is_ok(), "{made}");
        }
    }

    #[test]
    fn a_name_that_is_nobodys_is_not_looked_for() {
        assert_eq!(filter(None, ""), None);
        assert_eq!(filter(None, &"a".repeat(NAME_BYTES_MAX + 1)), None);
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        let invalid = |settings: &Settings| Query::new(settings).unwrap_err();
        for condition in ["(uid=", "(&(a=b)", "a=b)(", "(a=b))", "nonsense"] {
            assert!(matches!(invalid(&settings(Some(condition))), InvalidQuery::Filter(_)), "{condition}");
        }
        for attribute in ["", "uid=*)(a", "a b"] {
            let settings = Settings { user_attribute: attribute.to_owned(), ..settings(None) };
            assert_eq!(invalid(&settings), InvalidQuery::Attribute(attribute.to_owned()));
        }
    }

    #[test]
    fn a_user_is_called_as_the_directory_writes_it() {
        let query = Query::new(&settings(None)).unwrap();
        let found = |typed: &str, names: &[&str]| query.found(typed, vec![entry(names, &["cn=a", "cn=b"])]).unwrap();
        assert_eq!(found("ALICE", &["alice"]).name, "alice");
        assert_eq!(found("al", &["alice", "AL"]).name, "AL");
        assert_eq!(found(" alice", &["alice", "al"]).name, "alice", "spaces count for nothing in a directory");
        assert_eq!(found("alice", &[]).name, "alice", "it may not be told");
        assert_eq!(found("alice", &["alice"]).groups, ["cn=a", "cn=b"]);
    }

    #[test]
    fn more_than_one_is_nobody() {
        let query = Query::new(&settings(None)).unwrap();
        assert_eq!(query.found("alice", vec![]), None);
        assert_eq!(query.found("alice", vec![entry(&["alice"], &[]), entry(&["alice"], &[])]), None);
    }
}
