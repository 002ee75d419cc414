//! What the gateway tells nodes that it has decided: a claim for each request, and one for what it asks on its own account.

use axum::http::request::Parts;
use zot_auth::authz::Action;
use zot_cluster::{Acts, Claim, ClaimKey, Grants};
use zot_contract::{Context, SealedClaim};
use zot_oci::RepositoryName;

use super::{permit::Permit, query::Query, route::Requirement};

/// The claim for a request that was permitted; nothing for those that ask nodes for nothing.
pub(super) fn claim(key: &ClaimKey, permit: &Permit<'_>, requirement: &Requirement<'_>, head: &Parts) -> Option<SealedClaim> {
    let grants = match requirement {
        Requirement::Repository { repository, reference, any_of } => {
            let may = |action| any_of.contains(&action) && permit.may(action, repository, *reference);
            let acts =
                Acts { read: may(Action::Read), create: may(Action::Create), update: may(Action::Update), delete: may(Action::Delete) };
            Grants::Repository { name: repository.to_string(), acts, from: mount_source(permit, head) }
        }
        Requirement::Listing => Grants::Catalog,
        Requirement::Nothing | Requirement::Guest | Requirement::Ping | Requirement::Known | Requirement::NoSuchMethod => return None,
    };
    Some(SealedClaim::new(key.seal(&Claim::new(permit.who.subject.name(), grants))))
}

/// The repository that a blob shall be mounted from, if it may be read.
fn mount_source(permit: &Permit<'_>, head: &Parts) -> Option<String> {
    let query = Query::parse(head.uri.query()).ok()?;
    query.one("mount").ok()??;
    let from: RepositoryName = query.one("from").ok()??.parse().ok()?;
    permit.may_read(&from).then(|| from.to_string())
}

/// The context of what a gateway asks of nodes about users, on its own account.
pub(crate) fn internal(key: Option<&ClaimKey>) -> Context {
    let claim = key.map(|key| SealedClaim::new(key.seal(&Claim::new("", Grants::Users))));
    Context { claim, ..Context::internal() }
}
