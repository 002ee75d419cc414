//! Reading manifests: what every pull begins with, and all that a pull of known content is.

use std::sync::Arc;

use anyhow::ensure;

use super::{Case, Group};
use crate::content::{self, Family, Image};
use crate::plan::{KIB, Plan};
use crate::session::Session;

const REPOSITORY: &str = "bench/pull";

/// One server for all: nothing is written while it is measured.
pub(super) fn groups(plan: &Plan) -> Vec<Group> {
    let images = images(plan.page);
    let (by_tag, by_digest): (Vec<_>, Vec<_>) =
        images.iter().enumerate().map(|(number, image)| (target(&format!("v{number}")), target(&content::digest(&image.manifest)))).unzip();
    let (by_tag, by_digest) = (Arc::new(by_tag), Arc::new(by_digest));

    let cases = plan.manifest_clients.iter().flat_map(|clients| {
        [
            get("GET by tag", *clients, &by_tag),
            get("GET by digest", *clients, &by_digest),
            head("HEAD by tag", *clients, &by_tag),
            head("HEAD by digest", *clients, &by_digest),
        ]
    });
    vec![Group { cases: cases.collect(), prepare: Box::new(move |session| push(session, &images)) }]
}

/// Images that share their layer and differ in their config.
fn images(count: u64) -> Vec<Image> {
    let layer = Family::new(KIB).unique();
    (0..count).map(|number| Image::new(vec![layer.clone()], &number.to_string())).collect()
}

fn push(session: &mut Session, images: &[Image]) -> anyhow::Result<()> {
    for (number, image) in images.iter().enumerate() {
        session.put_image(REPOSITORY, &format!("v{number}"), image)?;
    }
    let read = session.read(&target("v0"))?;
    ensure!(read.body == images[0].manifest, "a manifest came back changed");
    Ok(())
}

fn get(name: &str, clients: usize, targets: &Arc<Vec<String>>) -> Case {
    let targets = Arc::clone(targets);
    Case::new(name, clients, move |session, number| session.get(&targets[number as usize % targets.len()]))
}

fn head(name: &str, clients: usize, targets: &Arc<Vec<String>>) -> Case {
    let targets = Arc::clone(targets);
    Case::new(name, clients, move |session, number| session.head(&targets[number as usize % targets.len()]).map(|()| 0))
}

fn target(reference: &str) -> String {
    format!("/v2/{REPOSITORY}/manifests/{reference}")
}
