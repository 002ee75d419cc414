//! Large transfers: what they cost in memory.

use std::sync::Arc;

use super::{Case, Group, size};
use crate::content::Family;
use crate::plan::Plan;
use crate::session::Upload;

const REPOSITORY: &str = "bench/large";
const TRANSFERS: usize = 16;

/// Many at once, and one that is huge where the plan has it.
pub(super) fn groups(plan: &Plan) -> Vec<Group> {
    let mut groups = vec![transfers(plan.transfer_bytes)];
    groups.extend(plan.huge_bytes.map(huge));
    groups
}

/// The blobs that the first case pushes are pulled by the second.
fn transfers(bytes: u64) -> Group {
    let blobs = Family::new(bytes).several(TRANSFERS);
    let pulled = Arc::clone(&blobs);
    let push = Case::new(format!("push {}", size(bytes)), TRANSFERS, move |session, number| {
        session.put_blob(REPOSITORY, &blobs[number as usize], Upload::Monolithic).map(|()| bytes)
    });
    let pull = Case::new(format!("pull {}", size(bytes)), TRANSFERS, move |session, number| {
        session.get(&format!("/v2/{REPOSITORY}/blobs/{}", pulled[number as usize].digest))
    });
    let push = Case { needed: true, ..push.times(TRANSFERS as u64).moving(bytes) };
    let pull = pull.times(TRANSFERS as u64).moving(bytes);
    Group { prepare: Box::new(|_| Ok(())), cases: vec![push, pull] }
}

fn huge(bytes: u64) -> Group {
    let family = Family::new(bytes);
    let push = Case::new(format!("push {}", size(bytes)), 1, move |session, _| {
        session.put_blob(REPOSITORY, &family.unique(), Upload::Monolithic).map(|()| bytes)
    });
    Group { prepare: Box::new(|_| Ok(())), cases: vec![push.times(1).moving(bytes)] }
}
