//! The connection against real servers: every form of Redis, and what happens when they fail.

#![cfg(test)]

mod faults;
mod forms;

use zot_config::{Secret, redis::Redis as Settings};
use zot_redis::{Connection, Room};
use zot_services::{Redis, skip::skip};

const UPLOADS: Room<'_> = Room::Uploads { store: "" };

/// Whether there is a Redis to test with; otherwise the test is skipped by name.
fn available(test: &str) -> bool {
    Redis::available().inspect_err(|reason| skip(&format!("zot-redis::{test}"), reason)).is_ok()
}

fn settings(url: &str) -> Settings {
    Settings { url: Some(Secret::new(url)), ..Settings::default() }
}

fn open(url: &str) -> Connection {
    Connection::open(&settings(url)).unwrap()
}
