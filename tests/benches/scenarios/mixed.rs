//! A day's traffic: mostly pulls, some pushes, a few lists, all at once.

use std::sync::Arc;

use super::{Case, Group};
use crate::content::{Blob, Family, Image};
use crate::plan::{KIB, Plan};
use crate::session::Session;

const REPOSITORY: &str = "bench/mixed";
const LAYER_BYTES: u64 = 64 * KIB;
const PUSHED_BYTES: u64 = KIB;
const CLIENTS: usize = 16;

/// What an operation of a given number is: of twenty, one lists, three push, sixteen pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    List,
    Push,
    Pull,
}

/// One server.
pub(super) fn groups(plan: &Plan) -> Vec<Group> {
    let images = plan.page as usize;
    let layers = Family::new(LAYER_BYTES).several(images);
    let (family, pulled) = (Family::new(PUSHED_BYTES), Arc::clone(&layers));
    let case = Case::new("80/15/5", CLIENTS, move |session, number| match kind(number) {
        Kind::List => session.get(&format!("/v2/{REPOSITORY}/tags/list?n=100")),
        Kind::Push => push(session, family.unique(), &format!("p{number}")),
        Kind::Pull => pull(session, &pulled, number as usize % images),
    });
    let prepare = move |session: &mut Session| {
        let mut layers = layers.iter().enumerate();
        layers.try_for_each(|(number, layer)| push(session, layer.clone(), &format!("v{number}")).map(drop))
    };
    vec![Group { cases: vec![case.writing()], prepare: Box::new(prepare) }]
}

fn kind(number: u64) -> Kind {
    match number % 20 {
        0 => Kind::List,
        1 | 7 | 14 => Kind::Push,
        _ => Kind::Pull,
    }
}

fn push(session: &mut Session, layer: Blob, tag: &str) -> anyhow::Result<u64> {
    session.put_image(REPOSITORY, tag, &Image::new(vec![layer], tag))
}

fn pull(session: &mut Session, layers: &[Blob], number: usize) -> anyhow::Result<u64> {
    let manifest = session.get(&format!("/v2/{REPOSITORY}/manifests/v{number}"))?;
    let layer = session.get(&format!("/v2/{REPOSITORY}/blobs/{}", layers[number].digest))?;
    Ok(manifest + layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_eighty_fifteen_five() {
        let count = |wanted| (0..100).filter(|number| kind(*number) == wanted).count();
        assert_eq!((count(Kind::Pull), count(Kind::Push), count(Kind::List)), (80, 15, 5));
    }
}
