//! One test binary for all topics: the sandbox is linked once, and a topic is a file with a line here.
#![cfg(test)]

mod base;
mod blobs;
mod docker;
mod lists;
mod manifests;
mod referrers;
mod uploads;
