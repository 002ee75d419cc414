//! What was found wrong or worth a word, collected so that everything can be said at once.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use crate::key_path::KeyPath;

/// One reason why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub path: KeyPath,
    /// What was found and what was expected.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Something the operator should know although the configuration can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where it stands.
    pub path: KeyPath,
    /// What will happen, or not.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Problems and warnings in the order they were met.
///
/// Shared by reference while a configuration is read, so that no reader has to stop at the first fault.
#[derive(Debug, Default)]
pub(crate) struct Report {
    problems: RefCell<Vec<Problem>>,
    unreadable: RefCell<HashSet<KeyPath>>,
    warnings: RefCell<Vec<Warning>>,
}

impl Report {
    /// Adds the problem that a value is not of its type; from now on its default stands in for it.
    pub(crate) fn unreadable(&self, path: &KeyPath, message: impl Into<String>) {
        self.problem(path, message);
        self.unreadable.borrow_mut().insert(path.clone());
    }

    /// Adds a problem, unless the value could not be read: what a rule then says is about the stand-in.
    pub(crate) fn problem(&self, path: &KeyPath, message: impl Into<String>) {
        if !self.unreadable.borrow().contains(path) {
            self.problems.borrow_mut().push(Problem { path: path.clone(), message: message.into() });
        }
    }

    pub(crate) fn warning(&self, path: &KeyPath, message: impl Into<String>) {
        self.warnings.borrow_mut().push(Warning { path: path.clone(), message: message.into() });
    }

    pub(crate) fn into_parts(self) -> (Vec<Problem>, Vec<Warning>) {
        (self.problems.into_inner(), self.warnings.into_inner())
    }
}
