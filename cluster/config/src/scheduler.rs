//! `scheduler`: how much background work is done at a time.

use crate::setting::section::section;

section! {
    /// How much background work is done at a time.
    pub struct Scheduler {
        /// Most background tasks at a time; 0 for four times the number of processors.
        "numWorkers" => workers: u32 = 0;
    }
}
