//! The distribution specification, one resource a file.

pub(super) mod base;
pub(super) mod blobs;
pub(super) mod catalog;
pub(super) mod manifests;
mod paging;
mod parts;
pub(super) mod referrers;
pub(super) mod tags;
pub(super) mod uploads;
