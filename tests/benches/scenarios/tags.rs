//! Many tags in one repository: the cost of the next one, and of listing them.

use super::{Case, Group};
use crate::content::{self, Blob, Family};
use crate::plan::{KIB, Plan};
use crate::session::{Session, Upload};

const FEW: &str = "bench/few-tags";
const MANY: &str = "bench/many-tags";
const CONFIG: &[u8] = b"{\"architecture\":\"amd64\",\"os\":\"linux\"}";
const CLIENTS: usize = 4;

/// One server: what the first case writes, the later ones list.
pub(super) fn groups(plan: &Plan) -> Vec<Group> {
    let (layer, count, page) = (Family::new(KIB).unique(), plan.tags, plan.page);
    let pushed = layer.clone();
    let push = Case::new(format!("push {count} tags"), CLIENTS, move |session, number| put_tag(session, MANY, &pushed, number).map(|()| 0));
    let cases = vec![
        push.times(count).by_decile().writing(),
        whole(FEW, page),
        whole(MANY, count),
        pages(FEW, page, page),
        pages(MANY, count, page),
    ];
    vec![Group { cases, prepare: Box::new(move |session| prepare(session, &layer, page)) }]
}

fn prepare(session: &mut Session, layer: &Blob, few: u64) -> anyhow::Result<()> {
    for repository in [FEW, MANY] {
        session.put_blob(repository, layer, Upload::Monolithic)?;
        session.put_bytes(repository, CONFIG)?;
    }
    (0..few).try_for_each(|number| put_tag(session, FEW, layer, number))
}

/// Each tag has a manifest of its own, as the builds of one project do.
fn put_tag(session: &mut Session, repository: &str, layer: &Blob, number: u64) -> anyhow::Result<()> {
    let tag = tag(number);
    let manifest = content::manifest(std::slice::from_ref(layer), CONFIG, &tag);
    session.put_manifest(repository, &tag, &manifest)
}

fn whole(repository: &'static str, count: u64) -> Case {
    let target = format!("/v2/{repository}/tags/list");
    Case::new(format!("list all of {count}"), CLIENTS, move |session, _| session.get(&target))
}

/// Pages from everywhere in the list, so that a cost that grows towards its end shows.
fn pages(repository: &'static str, count: u64, page: u64) -> Case {
    let pages = (count / page).max(1);
    Case::new(format!("page of {page} of {count}"), CLIENTS, move |session, number| {
        let last = match number % pages {
            0 => String::new(),
            before => format!("&last={}", tag(before * page - 1)),
        };
        session.get(&format!("/v2/{repository}/tags/list?n={page}{last}"))
    })
}

fn tag(number: u64) -> String {
    format!("v{number:06}")
}
