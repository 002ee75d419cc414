//! Decisions against a naive model, and what conditions see.

use std::{net::SocketAddr, time::Instant};

use http::{HeaderMap, Method as HttpMethod};
use proptest::{collection::vec, option, prelude::*, sample::select, sample::subsequence};
use serde_json::{Value, json};
use zot_config::http::access_control::{self as written, Condition, Group, RepositoryPolicies};
use zot_contract::Subject;

use super::*;
use crate::{Method, Peer, authz::Pattern};

const ACTIONS: [Action; 5] = [Action::Read, Action::Create, Action::Update, Action::Delete, Action::DetectManifestCollision];

fn policy(access_control: &Value) -> Policy {
    Policy::compile(&written(access_control)).unwrap()
}

/// The configuration that says the same as the file; what a file may say is not this crate's business.
fn written(access_control: &Value) -> AccessControl {
    let entries = |section: &Value| section.as_object().cloned().unwrap_or_default().into_iter();
    let repositories = entries(&access_control["repositories"]).map(|(glob, rules)| {
        let policies = elements(&rules["policies"]).iter().map(written_policy).collect();
        let (default_policy, anonymous_policy) = (written_actions(&rules["defaultPolicy"]), written_actions(&rules["anonymousPolicy"]));
        (glob, RepositoryPolicies { policies, default_policy, anonymous_policy })
    });
    AccessControl {
        repositories: repositories.collect(),
        admin_policy: written_policy(&access_control["adminPolicy"]),
        groups: entries(&access_control["groups"]).map(|(name, group)| (name, Group { users: texts(&group["users"]) })).collect(),
        ..AccessControl::default()
    }
}

fn written_policy(policy: &Value) -> written::Policy {
    let conditions = elements(&policy["conditions"]).iter().map(|condition| {
        let message = condition["message"].as_str().map(str::to_owned);
        Condition { expression: condition["expression"].as_str().unwrap().to_owned(), message }
    });
    let (users, groups, actions) = (texts(&policy["users"]), texts(&policy["groups"]), written_actions(&policy["actions"]));
    written::Policy { users, groups, actions, conditions: conditions.collect() }
}

fn elements(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

fn texts(list: &Value) -> Vec<String> {
    elements(list).iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn written_actions(list: &Value) -> Vec<Action> {
    ACTIONS.into_iter().filter(|action| elements(list).iter().any(|word| word == action.as_str())).collect()
}

fn user(name: &str, groups: &[&str]) -> Identity {
    let groups = groups.iter().map(|group| Arc::from(*group)).collect();
    Identity { subject: Subject::User(name.into()), groups, method: Method::Htpasswd, ..Identity::anonymous() }
}

/// Asks with a request that has some headers.
fn decide(policy: &Policy, who: &Identity, headers: &[(&'static str, &'static str)], wish: Wish<'_>) -> Decision {
    let headers: HeaderMap = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    let peer = Peer::plain(SocketAddr::from(([192, 0, 2, 7], 4711)));
    policy.decide(who, &Asked { method: &HttpMethod::PUT, headers: &headers, peer: &peer }, &wish)
}

fn may(policy: &Policy, who: &Identity, action: Action, repository: &str) -> bool {
    decide(policy, who, &[], Wish { action, repository, reference: None }).is_granted()
}

#[test]
fn without_rules_it_matters_only_whether_people_are_asked() {
    let (nobody, alice) = (Identity::anonymous(), user("alice", &[]));
    for action in ACTIONS {
        assert!(may(&Policy::without_rules(false), &nobody, action, "a"));
        assert!(may(&Policy::without_rules(true), &alice, action, "a"));
        assert!(!may(&Policy::without_rules(true), &nobody, action, "a"));
    }
    assert!(Policy::without_rules(false).lets_anybody_in() && !Policy::without_rules(true).lets_anybody_in());
    assert!(!Policy::without_rules(true).detects_collisions(&alice, "a"));
}

#[test]
fn the_longest_pattern_decides_alone_and_an_empty_policy_is_one() {
    let policy = policy(&json!({ "repositories": {
        "**": { "defaultPolicy": ["read", "create"] },
        "secret/**": {},
        "secret/public": { "defaultPolicy": ["read"] },
    } }));
    let alice = user("alice", &[]);
    assert!(may(&policy, &alice, Action::Create, "a/b"));
    for (repository, reads) in [("secret", false), ("secret/x", false), ("secret/public", true), ("secrets", true)] {
        assert_eq!(may(&policy, &alice, Action::Read, repository), reads, "{repository}");
        assert_eq!(policy.lists(&alice, repository), reads, "{repository}");
    }
    assert!(!may(&policy, &alice, Action::Create, "secret/public"));
    assert!(!policy.reads_everything(&alice));
}

#[test]
fn of_equally_long_patterns_the_first_in_bytewise_order_decides() {
    let policy = policy(&json!({ "repositories": { "b*": { "defaultPolicy": ["read"] }, "*b": { "defaultPolicy": ["create"] } } }));
    let alice = user("alice", &[]);
    assert!(may(&policy, &alice, Action::Create, "bb") && !may(&policy, &alice, Action::Read, "bb"));
}

#[test]
fn groups_are_those_of_the_configuration_in_its_own_case() {
    let policy = policy(&json!({
        "repositories": { "**": { "policies": [{ "groups": ["Dev"], "actions": ["read"] }] } },
        "groups": { "Dev": { "users": ["alice", ""] }, "ops": { "users": ["alice", "bob"] } },
    }));
    assert_eq!(policy.groups_of("alice"), ["Dev", "ops"].map(Arc::<str>::from));
    assert_eq!(policy.groups_of("bob"), ["ops"].map(Arc::<str>::from));
    assert!(policy.groups_of("").is_empty() && policy.groups_of("carol").is_empty());
    assert!(may(&policy, &user("x", &["Dev"]), Action::Read, "a") && !may(&policy, &user("x", &["dev"]), Action::Read, "a"));
}

#[test]
fn administrators_may_do_what_their_policy_lists_and_no_more() {
    let policy = policy(&json!({
        "repositories": { "secret/**": {}, "**": { "defaultPolicy": ["create"] } },
        "adminPolicy": { "users": ["root"], "groups": ["admins"], "actions": ["read", "detectManifestCollision"] },
    }));
    for root in [user("root", &[]), user("x", &["admins"])] {
        assert!(may(&policy, &root, Action::Read, "secret/a") && !may(&policy, &root, Action::Delete, "secret/a"));
        assert!(policy.is_admin(&root) && policy.reads_everything(&root) && policy.lists(&root, "secret/a"));
        assert!(policy.detects_collisions(&root, "secret/a"));
    }
    assert!(!policy.is_admin(&user("alice", &[])) && !policy.is_admin(&Identity::anonymous()));
    let deleter = self::policy(&json!({ "adminPolicy": { "users": ["root"], "actions": ["delete"] } }));
    assert!(!deleter.lists(&user("root", &[]), "a"), "zot lists everything to an administrator who may read nothing");
}

#[test]
fn a_proof_may_be_good_for_less_or_for_something_of_its_own() {
    let policy = policy(&json!({ "repositories": { "**": { "defaultPolicy": ["read", "create"] } } }));
    let scope = |name: &str, action| Scope { target: ScopeTarget::Repository(name.to_owned()), actions: [action].into_iter().collect() };
    let scopes: Arc<[Scope]> = [scope("a", Action::Read), scope("a", Action::Delete)].into();
    let key = Identity { rights: Rights::Narrowed(Arc::clone(&scopes)), ..user("alice", &[]) };
    let token = Identity { rights: Rights::Granted(scopes), method: Method::RegistryToken, ..Identity::anonymous() };
    let granted =
        |who: &Identity, repository| ACTIONS.into_iter().filter(|action| may(&policy, who, *action, repository)).collect::<Vec<_>>();
    assert_eq!(granted(&key, "a"), [Action::Read]);
    assert_eq!(granted(&key, "b"), []);
    assert_eq!(granted(&token, "a"), [Action::Read, Action::Delete]);
    assert_eq!(granted(&token, "b"), []);
    for who in [&key, &token] {
        assert!(policy.lists(who, "a") && !policy.lists(who, "b") && !policy.reads_everything(who) && !policy.is_admin(who));
    }
    let catalog = Scope { target: ScopeTarget::Catalog, actions: [Action::Read].into_iter().collect() };
    let token = Identity { rights: Rights::Granted([catalog].into()), ..token };
    assert!(policy.lists(&token, "b") && policy.lists_everything(&token) && !may(&policy, &token, Action::Read, "b"));
    assert!(!policy.lists_everything(&user("alice", &[])));
}

fn conditional(expression: &str) -> Policy {
    let conditions = json!([{ "expression": expression, "message": "only so" }]);
    policy(&json!({ "repositories": { "**": { "policies": [{ "users": ["alice"], "actions": ["create"], "conditions": conditions }] } } }))
}

#[test]
fn conditions_see_the_request() {
    let headers = [("user-agent", "docker/27.0"), ("x-forwarded-for", "10.0.0.1, 10.0.0.2")];
    let claims = json!({ "iss": "https://issuer", "run": 7, "list": ["a"] });
    let alice = Identity { claims: Some(Arc::new(claims)), ..user("alice", &["dev"]) };
    for expression in [
        "req.time > timestamp('2026-01-01T00:00:00Z') && req.time.getFullYear() >= 2026",
        "req.method == 'PUT' && req.userAgent.startsWith('docker/')",
        "req.action == 'create' && req.repository == 'a/b'",
        "req.reference == 'v1' && req.referenceType == 'tag' && req.tag == 'v1' && req.digest == ''",
        "req.user.username == 'alice' && 'dev' in req.user.groups",
        "!req.auth.anonymous && !req.auth.admin",
        "req.client.ip == '192.0.2.7' && req.client.forwardedFor == ['10.0.0.1', '10.0.0.2']",
        "!req.tls.enabled && req.tls.version == ''",
        "req.claims.iss == 'https://issuer' && req.claims.run == 7.0 && req.claims.list[0] == 'a' && !has(req.claims.sub)",
        "req.repository.split('/')[0] == 'a' && req.repository.matches('^a/')",
    ] {
        let wish = Wish { action: Action::Create, repository: "a/b", reference: Some("v1") };
        assert_eq!(decide(&conditional(expression), &alice, &headers, wish), Decision::Granted, "{expression}");
    }
    let wish = Wish { action: Action::Create, repository: "a/b", reference: Some("sha256:00") };
    let digest = "req.referenceType == 'digest' && req.tag == '' && req.digest == req.reference";
    assert_eq!(decide(&conditional(digest), &alice, &headers, wish), Decision::Granted);
}

#[test]
fn a_condition_that_does_not_hold_says_why_and_one_that_fails_says_nothing() {
    let alice = user("alice", &[]);
    let wish = Wish { action: Action::Create, repository: "a", reference: None };
    let said = |expression: &str| decide(&conditional(expression), &alice, &[], wish);
    assert_eq!(said("req.repository == 'b'"), Decision::Denied(Some("only so".into())));
    assert_eq!(said("req.claims.absent == 'x'"), Decision::Denied(None));
    assert_eq!(said("req.reference == '' ? 1 : true"), Decision::Denied(None));
    assert_eq!(decide(&conditional("false"), &user("bob", &[]), &[], wish), Decision::Denied(None), "bob is not told what alice lacks");
    assert!(policy_lists_whatever_conditions_say());
}

fn policy_lists_whatever_conditions_say() -> bool {
    let conditions = json!([{ "expression": "false" }]);
    let policy = policy(
        &json!({ "repositories": { "**": { "policies": [{ "users": ["alice"], "actions": ["read"], "conditions": conditions }] } } }),
    );
    policy.lists(&user("alice", &[]), "a") && !policy.reads_everything(&user("alice", &[]))
}

#[test]
fn what_cannot_be_compiled_is_named() {
    let bad = |expression: &str| {
        let conditions = json!([{ "expression": expression }]);
        let access_control = json!({ "adminPolicy": { "users": ["u"], "actions": ["read"], "conditions": conditions } });
        Policy::compile(&written(&access_control))
            .map(drop)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    for expression in ["req.", "request.method == 'GET'", "'text'", "1 + 1", "unknown(req)"] {
        let problems = bad(expression).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with("http.accessControl.adminPolicy.conditions[0].expression: invalid condition "), "{problems:?}");
        assert!(!problems[0].contains('\n'));
    }
    assert_eq!(bad("req.claims.x == 'y'"), Ok(()));
}

/// `accessControl` as a program that reads it over and over again would understand it.
fn model(access_control: &Value, who: &Identity, action: &str, repository: &str) -> bool {
    let has = |list: &Value, text: &str| list.as_array().is_some_and(|list| list.iter().any(|found| found == text));
    let meant = |policy: &Value| {
        let by_name = who.user().is_some_and(|user| has(&policy["users"], user));
        (by_name || who.groups.iter().any(|group| has(&policy["groups"], group))) && has(&policy["actions"], action)
    };
    let all = access_control["repositories"].as_object().unwrap();
    let mut matching: Vec<(&String, &Value)> = all.iter().filter(|(glob, _)| Pattern::new(glob).unwrap().matches(repository)).collect();
    matching.sort_by(|(one, _), (other, _)| other.len().cmp(&one.len()).then(one.cmp(other)));
    let by_repository = matching.first().is_some_and(|(_, rules)| {
        let everybody = if who.is_anonymous() { "anonymousPolicy" } else { "defaultPolicy" };
        has(&rules[everybody], action) || rules["policies"].as_array().is_some_and(|policies| policies.iter().any(meant))
    });
    by_repository || meant(&access_control["adminPolicy"])
}

fn actions() -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(vec!["read", "create", "update", "delete", "detectManifestCollision"], 0..5)
}

fn grant() -> impl Strategy<Value = Value> {
    let users = subsequence(vec!["alice", "bob", "carol"], 0..3);
    let groups = subsequence(vec!["dev", "ops"], 0..2);
    (users, groups, actions()).prop_map(|(users, groups, actions)| json!({ "users": users, "groups": groups, "actions": actions }))
}

fn rules() -> impl Strategy<Value = Value> {
    let policies = vec(grant(), 0..3);
    (policies, actions(), actions())
        .prop_map(|(policies, default, anonymous)| json!({ "policies": policies, "defaultPolicy": default, "anonymousPolicy": anonymous }))
}

proptest! {
    #[test]
    fn decisions_are_those_of_a_naive_model(
        repositories in proptest::collection::btree_map(select(vec!["**", "a/**", "a/*", "*", "*/b", "a/b", "[ab]/b", "{a,c}/**", "**/b"]), rules(), 1..6),
        admin in grant(),
        name in option::of(select(vec!["alice", "bob", "carol", "dave"])),
        groups in subsequence(vec!["dev", "ops"], 0..2),
        repository in select(vec!["a", "b", "c", "a/b", "b/b", "c/b", "a/b/c", "d/e/b"]),
    ) {
        let access_control = json!({ "repositories": repositories, "adminPolicy": admin });
        let policy = policy(&access_control);
        let who = name.map_or_else(Identity::anonymous, |name| user(name, &groups));
        for action in ACTIONS {
            let expected = model(&access_control, &who, action.as_str(), repository);
            prop_assert_eq!(may(&policy, &who, action, repository), expected, "{:?}", action);
        }
        prop_assert_eq!(policy.lists(&who, repository), model(&access_control, &who, "read", repository));
        prop_assert_eq!(policy.detects_collisions(&who, repository), model(&access_control, &who, "detectManifestCollision", repository));
        if policy.reads_everything(&who) {
            prop_assert!(model(&access_control, &who, "read", repository));
        }
    }
}

#[test]
fn a_thousand_patterns_cost_no_more_than_a_few() {
    let rules = |count: usize| {
        let patterns =
            (0..count).map(|number| (format!("team-{number}/**"), json!({ "policies": [{ "users": ["alice"], "actions": ["read"] }] })));
        policy(&json!({ "repositories": patterns.collect::<serde_json::Map<_, _>>() }))
    };
    let alice = user("alice", &[]);
    let took = |policy: &Policy| {
        let began = Instant::now();
        for _ in 0..200 {
            assert!(may(policy, &alice, Action::Read, "team-7/app"));
        }
        began.elapsed()
    };
    let (few, many) = (rules(10), rules(1000));
    let fastest = |policy: &Policy| (0..20).map(|_| took(policy)).min().unwrap();
    assert!(fastest(&many) < fastest(&few) * 10, "{:?} for 10, {:?} for 1000", fastest(&few), fastest(&many));
}
