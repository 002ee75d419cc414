//! What a run of the suite counted, read from what it prints at its end.

use std::fmt;

/// How many tests came to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: u32,
    /// Errors of the suite itself are failures too.
    pub(super) failed: u32,
    pub(super) skipped: u32,
    /// Left out because the profile does not have them.
    pub(super) disabled: u32,
}

impl Counts {
    /// The counts in the output of the suite of today or of the one released with 1.1.1.
    pub(super) fn read(output: &str) -> Option<Self> {
        today(output).or_else(|| released(output))
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped, disabled } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped, {disabled} not in the profile")
    }
}

/// Whether a line of the output names a test that did not pass.
pub(super) fn tells_of_a_failure(line: &str) -> bool {
    ["FAIL", ": Skip", ": Error", "[SKIPPED]"].iter().any(|word| line.contains(word))
}

/// A table after a headline, like `  Pass..........................:        860`.
fn today(output: &str) -> Option<Counts> {
    let (_, table) = output.split_once("OCI Conformance Result:")?;
    let count = |name: &str| {
        let line = table.lines().find(|line| line.trim_start().starts_with(&format!("{name}.")))?;
        line.rsplit(':').next()?.trim().parse::<u32>().ok()
    };
    Some(Counts { passed: count("Pass")?, failed: count("FAIL")? + count("Error")?, skipped: count("Skip")?, disabled: count("Disabled")? })
}

/// A line like `SUCCESS! -- 75 Passed | 0 Failed | 0 Pending | 4 Skipped`.
fn released(output: &str) -> Option<Counts> {
    let (_, line) = output.lines().find(|line| line.contains(" Passed | "))?.split_once("-- ")?;
    let count = |name: &str| {
        let part = line.split(" | ").find(|part| part.ends_with(name))?;
        part.split(' ').next()?.parse::<u32>().ok()
    };
    Some(Counts { passed: count("Passed")?, failed: count("Failed")?, skipped: count("Skipped")? + count("Pending")?, disabled: 0 })
}

#[test]
fn both_ways_to_count_are_read() {
    let table =
        "OCI Conformance Result: FAIL\n  Disabled......:  2\n  Skip.......:  1\n  Pass....:  860\n  FAIL....:  3\n  Error....: 4\n\nAPI\n";
    assert_eq!(Counts::read(table), Some(Counts { passed: 860, failed: 7, skipped: 1, disabled: 2 }));
    let line = "Ran 75 of 79 Specs in 0.4 seconds\nFAIL! -- 74 Passed | 1 Failed | 0 Pending | 4 Skipped\nPASS";
    assert_eq!(Counts::read(line), Some(Counts { passed: 74, failed: 1, skipped: 4, disabled: 0 }));
    assert_eq!(Counts::read("failed to setup test"), None);
}
