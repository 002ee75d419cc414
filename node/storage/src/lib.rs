//! The storage engine: a registry over three ports, [`blobs`] for bytes, [`metadata`] for rows and [`sessions`] for uploads in progress.
//!
//! All rules live in the [`Engine`], once; a port only stores. Rows are the truth, and every change to them is conditional, so nothing here
//! depends on who else is writing.

pub mod blobs;
mod engine;
mod error;
mod layout;
mod local;
pub mod metadata;
mod projection;
mod rebuild;
pub mod sessions;

pub use engine::Engine;
pub use error::{Error, Result};
pub use layout::BlobKey;
pub use local::{Local, LocalOptions};
pub use rebuild::{Progress, Rebuilt};
