//! Wall clocks that are wrong, for one process: libfaketime.

use std::path::PathBuf;

/// Where Debian puts the library that moves clocks.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// Whether processes can be shown another time here; otherwise why not.
pub fn available() -> Result<(), String> {
    library().map(drop).ok_or_else(|| "libfaketime is not installed".to_owned())
}

/// The variables of a process whose clock is off by `offset`, like `+1h`. Time that passes stays as it is: only the time of day is wrong.
pub fn variables(offset: &str) -> Vec<(&'static str, String)> {
    let library = library().expect("a library that was there");
    vec![
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME", offset.to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("NO_FAKE_STAT", "1".to_owned()),
    ]
}

/// The library that shows a process other times than the machine's.
fn library() -> Option<PathBuf> {
    let triples = std::fs::read_dir("/usr/lib").ok()?;
    triples.filter_map(|entry| Some(entry.ok()?.path().join(LIBRARY))).find(|path| path.is_file())
}
