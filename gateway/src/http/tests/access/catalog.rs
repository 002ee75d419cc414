//! Everybody sees the repositories that they may read, in pages that are as long as any.

use serde_json::{Value, json};

use super::{Who, index, known, sandbox};
use crate::{
    http::Options,
    sandbox::{Sandbox, Setup},
};

const ALICE: Who = Who::User("alice");

/// Repositories of alice's between many of others'.
async fn filled(page_entries_max: usize) -> Sandbox {
    let options = Options { page_entries_max, ..Options::default() };
    let sandbox = Sandbox::with(Setup { access: known(), options, ..Setup::default() }).await;
    for number in 10..40 {
        let name = if number % 10 == 3 { format!("r{number}/alice") } else { format!("r{number}/other") };
        assert_eq!(sandbox.push_manifest_as(Who::User("root"), &name, "v1", &index(1)).await.status, 201);
    }
    sandbox.gateway.replace_access(super::access(&rules()));
    sandbox
}

fn rules() -> Value {
    let alices = json!({ "policies": [{ "users": ["alice"], "actions": ["read"] }] });
    json!({
        "repositories": { "*/alice": alices, "**": {} },
        "adminPolicy": { "users": ["deleter"], "actions": ["delete"] },
    })
}

/// The pages of the list, each link followed.
async fn pages(sandbox: &Sandbox, who: Who, first: &str) -> Vec<Value> {
    let (mut pages, mut path) = (Vec::new(), Some(first.to_owned()));
    while let Some(this) = path {
        let reply = sandbox.call_as(who, "GET", &this).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        pages.push(reply.json()["repositories"].clone());
        path = reply.header("link").strip_prefix('<').and_then(|link| link.split_once('>')).map(|(path, _)| path.to_owned());
        assert!(pages.len() < 20, "the links go round in circles");
    }
    pages
}

#[tokio::test]
async fn what_somebody_may_not_read_is_on_no_page() {
    for page_entries_max in [4, 1000] {
        let sandbox = filled(page_entries_max).await;
        let all = [json!(["r13/alice", "r23/alice", "r33/alice"])];
        assert_eq!(pages(&sandbox, ALICE, "/v2/_catalog").await, all);
        assert_eq!(pages(&sandbox, ALICE, "/v2/_catalog?n=3").await, all, "there is no link to what cannot be seen");
        assert_eq!(pages(&sandbox, ALICE, "/v2/_catalog?n=2").await, [json!(["r13/alice", "r23/alice"]), json!(["r33/alice"])]);
        assert_eq!(pages(&sandbox, ALICE, "/v2/_catalog?last=r13/other").await, [json!(["r23/alice", "r33/alice"])]);
        assert_eq!(pages(&sandbox, ALICE, "/v2/_catalog?n=0").await, [json!([])]);
        for who in [Who::User("bob"), Who::User("deleter")] {
            assert_eq!(pages(&sandbox, who, "/v2/_catalog").await, [json!([])], "{who:?}");
        }
        assert_eq!(sandbox.call_as(Who::Nobody, "GET", "/v2/_catalog").await.refusal(), (401, "UNAUTHORIZED".to_owned()));
    }
}

#[tokio::test]
async fn a_list_that_takes_too_much_looking_goes_on_with_the_next_request() {
    // A page of one entry at a time, of which at most sixty-four are looked at.
    let options = Options { page_entries_max: 1, ..Options::default() };
    let sandbox = Sandbox::with(Setup { access: known(), options, ..Setup::default() }).await;
    for number in 100..180 {
        assert_eq!(sandbox.push_manifest_as(Who::User("root"), &format!("r{number}"), "v1", &index(1)).await.status, 201);
    }
    assert_eq!(sandbox.push_manifest_as(Who::User("root"), "z/alice", "v1", &index(1)).await.status, 201);
    sandbox.gateway.replace_access(super::access(&rules()));
    assert_eq!(pages(&sandbox, ALICE, "/v2/_catalog").await, [json!([]), json!(["z/alice"])]);
}

#[tokio::test]
async fn a_token_lists_only_what_it_was_issued_for() {
    let sandbox = sandbox(&rules()).await;
    let token = Who::Token(zot_auth::authz::Action::Read, "a");
    let refused = sandbox.call_as(token, "GET", "/v2/_catalog").await;
    assert_eq!(refused.refusal(), (401, "UNAUTHORIZED".to_owned()));
}
