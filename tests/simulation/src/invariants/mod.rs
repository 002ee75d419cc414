//! What must hold, whatever happens: a file for each promise.

pub(crate) mod content;
pub(crate) mod leases;
pub(crate) mod register;
pub(crate) mod views;
