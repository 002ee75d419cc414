//! What the mains of all binaries share: reading the configuration, logs, threads, signals, and ending in good order.

pub mod output;
mod reopen;
mod serve;
mod verify;

pub use serve::{Process, plane_tls_files, serve};
pub use verify::verify;
pub use zot_config::Part;
