//! When a change is told, and how often.

use std::cell::Cell;
use std::fs;

use super::*;

/// A file, its watch, and how often it was told to have changed.
struct Looked {
    folder: tempfile::TempDir,
    watch: FileWatch,
    told: Cell<usize>,
}

impl Looked {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "one").unwrap();
        let watch = FileWatch::new(vec![folder.path().join("file")]);
        Self { folder, watch, told: Cell::new(0) }
    }

    fn look(&self, seen: &Fingerprint) -> Fingerprint {
        self.watch.look(seen, || self.told.set(self.told.get() + 1))
    }

    fn tried(&self) -> Fingerprint {
        self.watch.tried.lock().clone()
    }

    fn write(&self, text: &str) {
        fs::write(self.folder.path().join("file"), text).unwrap();
    }
}

#[test]
fn a_change_is_told_once_when_it_has_settled() {
    let looked = Looked::new();
    let seen = looked.look(&looked.tried());
    looked.write("three");
    assert!(!looked.watch.is_current());
    let seen = looked.look(&seen);
    assert_eq!(looked.told.get(), 0, "it may be half written");
    let seen = looked.look(&seen);
    looked.look(&seen);
    assert_eq!(looked.told.get(), 1);
    assert!(looked.watch.is_current());
}

#[test]
fn what_was_read_on_request_is_not_told_again() {
    let looked = Looked::new();
    looked.write("three");
    looked.watch.trying();
    let seen = looked.look(&looked.tried());
    looked.look(&seen);
    assert_eq!(looked.told.get(), 0);
}

#[test]
fn a_file_that_disappears_and_one_that_comes_back_are_changes() {
    let looked = Looked::new();
    fs::remove_file(looked.folder.path().join("file")).unwrap();
    let seen = looked.look(&looked.tried());
    let seen = looked.look(&seen);
    assert_eq!(looked.told.get(), 1);
    looked.write("one");
    let seen = looked.look(&seen);
    looked.look(&seen);
    assert_eq!(looked.told.get(), 2);
}
