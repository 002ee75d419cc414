//! What a decision of the policy costs, whatever the number of patterns: `cargo bench -p zot-auth --bench policy`.

use std::{net::SocketAddr, sync::Arc};

use divan::{Bencher, black_box};
use http::{HeaderMap, Method as HttpMethod};
use zot_auth::{
    Identity, Method, Peer,
    authn::Asked,
    authz::{Action, Policy, Wish},
};
use zot_config::http::{
    AccessControl,
    access_control::{Policy as Written, RepositoryPolicies},
};
use zot_contract::Subject;

fn main() {
    divan::main();
}

/// Rules of so many repositories, for a user and a group each, and of all others.
fn policy(patterns: usize) -> Policy {
    let one = |number: usize| {
        let policy = Written {
            users: vec![format!("user-{number}")],
            groups: vec![format!("team-{number}"), "everybody".to_owned()],
            actions: vec![Action::Read, Action::Create],
            ..Written::default()
        };
        (format!("team-{number}/app-*/**"), RepositoryPolicies { policies: vec![policy], ..RepositoryPolicies::default() })
    };
    let others = ("**".to_owned(), RepositoryPolicies { default_policy: vec![Action::Read], ..RepositoryPolicies::default() });
    let repositories = (1..patterns).map(one).chain([others]).collect();
    Policy::compile(&AccessControl { repositories, ..AccessControl::default() }).unwrap_or_default()
}

fn user(name: &str, groups: &[&str]) -> Identity {
    let groups = groups.iter().map(|group| Arc::from(*group)).collect();
    Identity { subject: Subject::User(name.into()), groups, method: Method::Htpasswd, ..Identity::anonymous() }
}

/// Decides on a repository among so many patterns.
fn decide(bencher: Bencher<'_, '_>, patterns: usize, who: &Identity, repository: &str) {
    let policy = policy(patterns);
    let (headers, peer) = (HeaderMap::new(), Peer::plain(SocketAddr::from(([192, 0, 2, 7], 4711))));
    let asked = Asked { method: &HttpMethod::GET, headers: &headers, peer: &peer };
    let wish = Wish { action: Action::Read, repository, reference: Some("latest") };
    assert!(policy.decide(who, &asked, &wish).is_granted(), "the rules are as meant");
    bencher.bench_local(|| policy.decide(black_box(who), &asked, black_box(&wish)));
}

#[divan::bench(args = [1, 10, 100, 1_000, 10_000])]
fn by_the_pattern_of_a_team(bencher: Bencher<'_, '_>, patterns: usize) {
    let repository = if patterns == 1 { "team-0/app-1/image".to_owned() } else { format!("team-{}/app-1/image", patterns / 2) };
    decide(bencher, patterns, &user("alice", &["a", "everybody", "z"]), &repository);
}

#[divan::bench(args = [1, 10, 100, 1_000, 10_000])]
fn by_the_pattern_of_all_others(bencher: Bencher<'_, '_>, patterns: usize) {
    decide(bencher, patterns, &user("alice", &[]), "library/debian");
}
