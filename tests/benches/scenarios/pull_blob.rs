//! Reading blobs that lie in the page cache: what the server adds to a copy from memory to a socket.

use std::sync::Arc;

use anyhow::ensure;

use super::{Case, Group, size};
use crate::content::{self, Blob, Family};
use crate::plan::Plan;
use crate::session::{Session, Upload};

const REPOSITORY: &str = "bench/pull";
/// Different blobs of each size, read in turn.
const BLOBS: usize = 8;

/// A server for every size: nothing is written while it is measured.
pub(super) fn groups(plan: &Plan) -> Vec<Group> {
    plan.blob_bytes.iter().map(|bytes| group(*bytes, &plan.clients)).collect()
}

fn group(bytes: u64, clients: &[usize]) -> Group {
    let blobs = Family::new(bytes).several(BLOBS);
    let targets: Arc<[String]> = blobs.iter().map(target).collect();
    let cases = clients.iter().map(|clients| {
        let targets = Arc::clone(&targets);
        let case = Case::new(size(bytes), *clients, move |session, number| session.get(&targets[number as usize % targets.len()]));
        case.moving(bytes)
    });
    Group { cases: cases.collect(), prepare: Box::new(move |session| push(session, &blobs)) }
}

fn push(session: &mut Session, blobs: &[Blob]) -> anyhow::Result<()> {
    for blob in blobs {
        session.put_blob(REPOSITORY, blob, Upload::Monolithic)?;
    }
    let read = session.read(&target(&blobs[0]))?;
    ensure!(content::digest(&read.body) == blobs[0].digest, "a blob came back changed");
    Ok(())
}

fn target(blob: &Blob) -> String {
    format!("/v2/{REPOSITORY}/blobs/{}", blob.digest)
}
