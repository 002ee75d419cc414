//! What end-to-end tests share: a sandbox that runs the real `zot` binary, a client that shows what the wire says, content to push, and named skips.
#![expect(clippy::expect_used, clippy::panic, reason = "test support: a failure here is a failed test, and should say where it happened")]

pub mod browser;
pub mod client;
pub mod cluster;
pub mod content;
pub mod front;
pub mod sandbox;
pub mod shapes;
mod tell;
pub mod transfers;

pub use zot_services::{skip, stall, wait};

pub use crate::{
    client::{Client, Reply},
    cluster::Cluster,
    content::{Image, Manifest, digest_of},
    front::Front,
    sandbox::Sandbox,
    shapes::Registry,
    tell::tell,
};
