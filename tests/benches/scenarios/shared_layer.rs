//! The same base layer in every repository: a client asks for it, offers to mount it, and sends it
//! only where that is declined.

use super::{Case, Group};
use crate::content::{Blob, Family, Image};
use crate::plan::{MIB, Plan};
use crate::session::Session;

const BASE: &str = "bench/base";
const CLIENTS: usize = 4;

/// One server, one layer.
pub(super) fn groups(plan: &Plan) -> Vec<Group> {
    let layer = Family::new(MIB).unique();
    let shared = layer.clone();
    let count = plan.layer_repositories;
    let case = Case::new(format!("1 MiB layer into {count}"), CLIENTS, move |session, number| share(session, &shared, number));
    let prepare = move |session: &mut Session| session.put_image(BASE, "latest", &Image::new(vec![layer.clone()], "base")).map(drop);
    vec![Group { cases: vec![case.times(count).by_decile().writing()], prepare: Box::new(prepare) }]
}

/// Counts the layer as moved whether it was sent or mounted: that is what the user asked for.
fn share(session: &mut Session, layer: &Blob, number: u64) -> anyhow::Result<u64> {
    let repository = format!("bench/with-base-{number:06}");
    if !session.has_blob(&repository, &layer.digest)? {
        session.mount(&repository, BASE, layer)?;
    }
    let image = Image::new(vec![layer.clone()], &repository);
    session.put_bytes(&repository, &image.config)?;
    session.put_manifest(&repository, "latest", &image.manifest)?;
    Ok(image.size())
}
