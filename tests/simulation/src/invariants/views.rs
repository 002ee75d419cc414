//! One number is one view, for everybody, and nobody's goes back while its process runs.

use std::collections::BTreeMap;

use zot_cluster::View;

use crate::history::History;

/// The views that were seen.
#[derive(Default)]
pub(crate) struct Views {
    by_number: BTreeMap<u64, View>,
    /// The newest of each process, by its name and run.
    newest: BTreeMap<(String, u64), u64>,
}

impl Views {
    /// A process goes by a view.
    pub(crate) fn look(&mut self, process: (&str, u64), view: &View, history: &History) {
        let newest = self.newest.entry((process.0.to_owned(), process.1)).or_default();
        if view.number < *newest {
            history.violate(format_args!("{} went back from view {newest} to {}", process.0, view.number));
        }
        *newest = view.number;
        let known = self.by_number.entry(view.number).or_insert_with(|| {
            history.note(format_args!("{} is the first to know view {}", process.0, view.number));
            view.clone()
        });
        if known != view {
            history.violate(format_args!("{} knows another view {} than others", process.0, view.number));
        }
    }
}
