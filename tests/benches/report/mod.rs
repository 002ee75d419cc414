//! What a run found, and the two forms it is told in.

pub(crate) mod json;
pub(crate) mod table;

mod figures;

use crate::machine::Machine;
use crate::plan::Plan;
use crate::reference::Reference;
use crate::rounds::Row;

/// Everything a run found.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) plan: Plan,
    pub(crate) machine: Machine,
    pub(crate) reference: Vec<Reference>,
    pub(crate) rows: Vec<Row>,
}

impl Report {
    /// A report without rows yet.
    pub(crate) fn new(plan: &Plan, machine: Machine) -> Self {
        Self { plan: plan.clone(), machine, reference: Vec::new(), rows: Vec::new() }
    }

    /// How many measures could not be made, or not wholly.
    pub(crate) fn failures(&self) -> usize {
        let outcomes = self.rows.iter().flat_map(|row| &row.outcomes);
        outcomes.filter(|outcome| outcome.failure.is_some()).count()
    }
}
