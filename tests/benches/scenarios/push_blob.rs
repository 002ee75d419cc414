//! Pushing blobs that the registry has never seen.

use super::{Case, Group, size};
use crate::content::Family;
use crate::plan::Plan;
use crate::session::Upload;

const REPOSITORY: &str = "bench/push";

/// A server of its own for every size and number of clients: what one wrote must not slow another.
pub(super) fn groups(plan: &Plan, how: Upload) -> Vec<Group> {
    let sizes = plan.blob_bytes.iter();
    sizes.flat_map(|bytes| plan.clients.iter().map(move |clients| group(*bytes, *clients, how))).collect()
}

fn group(bytes: u64, clients: usize, how: Upload) -> Group {
    let family = Family::new(bytes);
    let case = Case::new(size(bytes), clients, move |session, _| {
        let blob = family.unique();
        session.put_blob(REPOSITORY, &blob, how).map(|()| bytes)
    });
    Group { prepare: Box::new(|_| Ok(())), cases: vec![case.moving(bytes).writing()] }
}
