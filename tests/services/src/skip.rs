//! Tests that cannot run here say so by name: nothing is skipped silently.

use std::{env, io, io::Write as _, path::PathBuf};

/// When this variable is `1`, a missing component fails its tests.
const REQUIRE: &str = "CI_REQUIRE_SERVICES";

/// Says that the test `name` is skipped and why. `tests/run` counts these lines; nothing in the test may follow.
pub fn skip(name: &str, reason: &str) {
    assert!(env::var(REQUIRE).as_deref() != Ok("1"), "{name} cannot run: {reason} ({REQUIRE} is set)");
    // Not a printing macro: the test harness would swallow the line of a test that passes.
    writeln!(io::stderr().lock(), "SKIP {name}: {reason}").ok();
}

/// Where the program `name` is, if the search path has it.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|directory| directory.join(name)).find(|program| program.is_file())
}
