//! The storage engine: a registry over three ports, [`blobs`] for bytes, [`metadata`] for rows and [`sessions`] for uploads in progress.
//! A fourth, [`layouts`], shows what there is to other tools and to a rebuild.
//!
//! All rules live in the [`Engine`], once; a port only stores. Rows are the truth, and every change to them is conditional, so nothing here
//! depends on who else is writing.

pub mod blobs;
mod engine;
mod error;
mod layout;
pub mod layouts;
mod local;
mod lock;
pub mod metadata;
mod projection;
mod rebuild;
pub mod sessions;
mod stores;
mod wall;

/// What every port must do, as suites: whoever implements one runs it against an empty store.
#[cfg(any(test, feature = "testing"))]
pub mod testing {
    pub use crate::{
        blobs::suite::blob_store_suite, layouts::suite::layouts_suite, metadata::suite::metadata_suite, sessions::suite::sessions_suite,
    };
}

pub use engine::Engine;
pub use error::{Error, Result};
pub use layout::{BlobAddress, BlobKey};
pub use local::{Local, LocalOptions};
pub use lock::Lock;
pub use projection::Mine;
pub use rebuild::{Progress, Rebuilt, show_all};
pub use stores::Shared;
pub use wall::WallClock;
