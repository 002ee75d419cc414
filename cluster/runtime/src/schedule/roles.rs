//! Which jobs and repositories are this process's.

use std::{fmt::Debug, future::pending};

use async_trait::async_trait;

use super::BoxError;

/// Which jobs and repositories are this process's.
#[async_trait]
pub trait Roles: Send + Sync + Debug {
    /// Takes a job of which the cluster runs one at a time; `None` if another process has it.
    async fn take(&self, job: &str) -> Result<Option<Box<dyn Turn>>, BoxError>;

    /// Whether a repository is this process's at this moment.
    fn owns(&self, repository: &str) -> bool;
}

/// The right to run a job, for as long as it is kept.
#[async_trait]
pub trait Turn: Send + Sync + Debug {
    /// Greater than that of everybody who had the right before.
    fn epoch(&self) -> u64;

    /// Keeps the right for as long as it is polled, and returns when it is lost: nothing may be done any more then.
    async fn keep(&self);

    /// Notes what came of a run, for people to see.
    async fn record(&self, result: &str);

    /// Gives the right back.
    async fn release(&self);
}

/// The roles of a process that shares its stores with nobody: everything is its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

#[async_trait]
impl Roles for Alone {
    async fn take(&self, _: &str) -> Result<Option<Box<dyn Turn>>, BoxError> {
        Ok(Some(Box::new(Self)))
    }

    fn owns(&self, _: &str) -> bool {
        true
    }
}

#[async_trait]
impl Turn for Alone {
    fn epoch(&self) -> u64 {
        0
    }

    async fn keep(&self) {
        pending().await
    }

    async fn record(&self, _: &str) {}

    async fn release(&self) {}
}
