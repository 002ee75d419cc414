//! The scenarios: what is pushed, pulled and listed. One family a file.

pub(crate) mod guests;
mod large;
mod mixed;
mod pull_blob;
mod pull_manifest;
mod push_blob;
mod push_image;
mod repositories;
mod shared_layer;
mod tags;

use std::fmt;

use anyhow::bail;

use crate::plan::{MIB, Plan};
use crate::reference;
use crate::session::{Session, Upload};

/// One operation of a client: it receives its number and returns how many bytes it moved.
type Act = Box<dyn Fn(&mut Session, u64) -> anyhow::Result<u64> + Send + Sync>;
/// What a server must hold before its cases begin.
type Prepare = Box<dyn Fn(&mut Session) -> anyhow::Result<()>>;

/// A named set of measures.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) groups: fn(&Plan) -> Vec<Group>,
}

/// Cases that run one after the other against the same server.
pub(crate) struct Group {
    pub(crate) prepare: Prepare,
    pub(crate) cases: Vec<Case>,
}

/// One row of the report: an operation and how many clients repeat it.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) clients: usize,
    /// How often it is done in all; for the length of the window when absent.
    pub(crate) operations: Option<u64>,
    /// Whether its rate is given in bytes.
    pub(crate) in_bytes: bool,
    /// Whether it writes, so that fsyncs are counted.
    pub(crate) writes: bool,
    /// Whether its cost is told for each tenth of its operations.
    pub(crate) deciles: bool,
    /// Whether later cases of the group read what it wrote, so that it cannot be left out.
    pub(crate) needed: bool,
    pub(crate) act: Act,
}

/// Every scenario, in the order they run.
pub(crate) const ALL: &[Scenario] = &[
    Scenario { name: reference::NAME, about: "what one core of this machine can do with a 32 MiB push", groups: |_| Vec::new() },
    Scenario { name: "push-blob", about: "blobs by POST and PUT", groups: |plan| push_blob::groups(plan, Upload::Monolithic) },
    Scenario {
        name: "push-docker",
        about: "blobs by POST, chunked PATCH and PUT, as docker sends them",
        groups: |plan| push_blob::groups(plan, Upload::Streamed),
    },
    Scenario { name: "push-image", about: "whole images of three 1 MiB layers, by tag", groups: push_image::groups },
    Scenario { name: "pull-manifest", about: "manifests by tag and by digest, GET and HEAD", groups: pull_manifest::groups },
    Scenario { name: "pull-blob", about: "blobs by GET", groups: pull_blob::groups },
    Scenario { name: "tags", about: "many tags in one repository by decile, and their list", groups: tags::groups },
    Scenario { name: "repositories", about: "many repositories by decile, and the catalog", groups: repositories::groups },
    Scenario { name: "shared-layer", about: "one layer pushed into many repositories", groups: shared_layer::groups },
    Scenario { name: "mixed", about: "80 % pulls, 15 % pushes, 5 % lists", groups: mixed::groups },
    Scenario { name: "large", about: "16 large transfers in flight, and with --full one huge push: memory", groups: large::groups },
    Scenario {
        name: guests::NAME,
        about: "users by everything that they can show, and sessions in Redis by decile",
        groups: guests::groups,
    },
];

/// The named scenarios, in their own order; all of them for no name.
pub(crate) fn select(names: &[String]) -> anyhow::Result<Vec<&'static Scenario>> {
    let unknown = names.iter().find(|name| ALL.iter().all(|scenario| scenario.name != name.as_str()));
    if let Some(unknown) = unknown {
        bail!("no scenario is named {unknown}: --list names them");
    }
    let chosen = |scenario: &&Scenario| names.is_empty() || names.iter().any(|name| name == scenario.name);
    Ok(ALL.iter().filter(chosen).collect())
}

impl Group {
    /// The group with only the cases whose name contains `text`, and those that they need.
    pub(crate) fn keeping(mut self, text: &str) -> Self {
        if self.cases.iter().any(|case| case.name.contains(text)) {
            self.cases.retain(|case| case.needed || case.name.contains(text));
        } else {
            self.cases.clear();
        }
        self
    }
}

impl Case {
    /// A case that lasts as long as the window.
    fn new(
        name: impl Into<String>,
        clients: usize,
        act: impl Fn(&mut Session, u64) -> anyhow::Result<u64> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: format!("{} c={clients}", name.into()),
            clients,
            operations: None,
            in_bytes: false,
            writes: false,
            deciles: false,
            needed: false,
            act: Box::new(act),
        }
    }

    /// Does it this often instead.
    fn times(self, operations: u64) -> Self {
        Self { operations: Some(operations), ..self }
    }

    /// Tells its rate in bytes when an operation moves as many as a MiB.
    fn moving(self, bytes: u64) -> Self {
        Self { in_bytes: bytes >= MIB, ..self }
    }

    /// Counts its fsyncs.
    fn writing(self) -> Self {
        Self { writes: true, ..self }
    }

    /// Tells its cost by decile, and keeps it because what it wrote is read later.
    fn by_decile(self) -> Self {
        Self { deciles: true, needed: true, ..self }
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.cases.iter().map(|case| &case.name)).finish()
    }
}

/// A size as people say it.
fn size(bytes: u64) -> String {
    match bytes {
        _ if bytes >= 1 << 30 => format!("{} GiB", bytes >> 30),
        _ if bytes >= 1 << 20 => format!("{} MiB", bytes >> 20),
        _ => format!("{} KiB", bytes >> 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_are_chosen_by_name() {
        assert_eq!(select(&[]).unwrap().len(), ALL.len());
        assert_eq!(select(&["mixed".to_owned()]).unwrap()[0].name, "mixed");
        assert!(select(&["mixedd".to_owned()]).is_err());
    }

    #[test]
    fn every_plan_has_cases_for_every_scenario_but_the_reference() {
        let plan = Plan::quick();
        for scenario in ALL.iter().filter(|scenario| scenario.name != reference::NAME) {
            let cases: usize = (scenario.groups)(&plan).iter().map(|group| group.cases.len()).sum();
            assert!(cases > 0, "{}", scenario.name);
        }
    }

    #[test]
    fn a_case_that_others_need_is_kept_with_them() {
        let case = |name: &str| Case::new(name, 1, |_, _| Ok(0));
        let group = |text| {
            let cases = vec![case("push").by_decile(), case("list"), case("page")];
            let kept = Group { prepare: Box::new(|_| Ok(())), cases }.keeping(text);
            kept.cases.into_iter().map(|case| case.name).collect::<Vec<_>>()
        };
        assert_eq!(group("page"), ["push c=1", "page c=1"]);
        assert!(group("nothing").is_empty());
    }
}
