//! How many calls of DynamoDB were made: what a push costs is what its calls cost.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

/// An operation of DynamoDB that this crate uses, which is also the name of the permission it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Reads several rows.
    BatchGetItem,
    /// Creates a table.
    CreateTable,
    /// Removes a row.
    DeleteItem,
    /// Tells the state and the keys of a table.
    DescribeTable,
    /// Reads a row.
    GetItem,
    /// Reads rows of a partition in order.
    Query,
    /// Reads all rows of a table.
    Scan,
    /// Changes several rows together.
    TransactWriteItems,
    /// Changes a row.
    UpdateItem,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 9] = [
        Self::BatchGetItem,
        Self::CreateTable,
        Self::DeleteItem,
        Self::DescribeTable,
        Self::GetItem,
        Self::Query,
        Self::Scan,
        Self::TransactWriteItems,
        Self::UpdateItem,
    ];
}

/// Calls that were made, by operation; every attempt counts.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls([u64; Operation::ALL.len()]);

impl Calls {
    /// Calls of one operation.
    pub fn of(&self, operation: Operation) -> u64 {
        self.0[operation as usize]
    }

    /// Calls of all operations.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Calls that were made since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at].saturating_sub(earlier.0[at])))
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let made = Operation::ALL.into_iter().filter(|operation| self.of(*operation) > 0);
        f.debug_map().entries(made.map(|operation| (operation, self.of(operation)))).finish()
    }
}

/// Counts calls while they are made.
#[derive(Debug, Default)]
pub(crate) struct Counters([AtomicU64; Operation::ALL.len()]);

impl Counters {
    pub(crate) fn count(&self, operation: Operation) {
        self.0[operation as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn calls(&self) -> Calls {
        Calls(std::array::from_fn(|at| self.0[at].load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_operation() {
        let counters = Counters::default();
        counters.count(Operation::Query);
        let before = counters.calls();
        Operation::ALL.into_iter().for_each(|operation| counters.count(operation));
        let after = counters.calls();
        assert_eq!((before.of(Operation::Query), after.of(Operation::Query), after.of(Operation::UpdateItem)), (1, 2, 1));
        assert_eq!((before.total(), after.since(&before).total()), (1, 9));
        assert_eq!(format!("{before:?}"), "{Query: 1}");
    }
}
