//! What the mains of all binaries share: reading the configuration, logs, threads, signals, and ending in good order.

mod ending;
pub mod output;
mod ready;
mod reload;
mod reopen;
mod serve;
mod tls;
mod verify;

pub use ending::{Ending, Step};
pub use ready::ready;
pub use serve::{Process, serve};
pub use tls::{http_tls_files, plane_tls_files};
pub use verify::{Findings, verify};
pub use zot_config::Part;
