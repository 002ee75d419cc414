//! Pushing whole small images: what a build does at its end.

use super::{Case, Group};
use crate::content::{Family, Image};
use crate::plan::{MIB, Plan};

const REPOSITORY: &str = "bench/image";
const LAYERS: usize = 3;

/// A server of its own for every number of clients.
pub(super) fn groups(plan: &Plan) -> Vec<Group> {
    plan.clients.iter().map(|clients| group(*clients)).collect()
}

fn group(clients: usize) -> Group {
    let family = Family::new(MIB);
    let case = Case::new("3 x 1 MiB + config + manifest", clients, move |session, number| {
        let tag = format!("v{number}");
        let image = Image::new(family.several(LAYERS).to_vec(), &tag);
        session.put_image(REPOSITORY, &tag, &image)
    });
    Group { prepare: Box::new(|_| Ok(())), cases: vec![case.writing()] }
}
