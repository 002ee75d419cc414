//! The real servers that tests talk to, started on ports of their own and gone when the test ends.
//!
//! `tests/install/services.sh` brings what they need. What could not be had skips its tests by name.
#![expect(clippy::expect_used, clippy::panic, reason = "test support: a failure here is a failed test, and should say where it happened")]

mod authority;
mod aws_json;
pub mod dynamodb;
pub mod guardian;
pub mod haproxy;
pub mod http_proxy;
pub mod instance_metadata;
pub mod ldap;
pub mod oidc;
pub mod port;
pub mod process;
pub mod processes;
pub mod proxy;
pub mod redis;
pub mod s3;
pub mod secrets_manager;
pub mod skip;
pub mod stall;
pub mod token_service;
pub mod wait;
pub mod wrong_clock;

use std::{env, path::PathBuf};

pub use dynamodb::DynamoDb;
pub use haproxy::Haproxy;
pub use http_proxy::{HttpProxy, Mood};
pub use instance_metadata::InstanceMetadata;
pub use ldap::Ldap;
pub use oidc::OpenIdProvider;
pub use process::Process;
pub use processes::Processes;
pub use proxy::{Fault, Proxy};
pub use redis::{Redis, RedisCluster, RedisSentinels};
pub use s3::S3;
pub use secrets_manager::SecretsManager;

/// Where `tests/install/services.sh` puts what it brings.
pub(crate) fn installed() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target")).join("services")
}
