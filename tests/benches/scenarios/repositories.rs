//! Many repositories: the cost of the next one, and of a page of the catalog.

use super::{Case, Group};
use crate::content::{Family, Image};
use crate::plan::{KIB, Plan};
use crate::session::Session;

const CLIENTS: usize = 4;

/// One server: the catalog is read before and after the repositories are written.
pub(super) fn groups(plan: &Plan) -> Vec<Group> {
    let (count, page) = (plan.repositories, plan.page);
    let family = Family::new(KIB);
    let push = Case::new(format!("push {count} repositories"), CLIENTS, move |session, number| {
        let image = Image::new(vec![family.unique()], &number.to_string());
        session.put_image(&name("many", number), "latest", &image)
    });
    let cases = vec![catalog("few", page, page, page), push.times(count).by_decile().writing(), catalog("many", count, count + page, page)];
    vec![Group { cases, prepare: Box::new(move |session| prepare(session, page)) }]
}

fn prepare(session: &mut Session, few: u64) -> anyhow::Result<()> {
    let family = Family::new(KIB);
    for number in 0..few {
        let image = Image::new(vec![family.unique()], "few");
        session.put_image(&name("few", number), "latest", &image)?;
    }
    Ok(())
}

/// Pages that begin everywhere among `count` repositories.
fn catalog(kind: &'static str, count: u64, total: u64, page: u64) -> Case {
    let pages = (count / page).max(1);
    Case::new(format!("catalog page of {page} of {total}"), CLIENTS, move |session, number| {
        let last = match number % pages {
            0 => String::new(),
            before => format!("&last={}", name(kind, before * page - 1)),
        };
        session.get(&format!("/v2/_catalog?n={page}{last}"))
    })
}

fn name(kind: &str, number: u64) -> String {
    format!("bench/{kind}-{number:06}")
}
