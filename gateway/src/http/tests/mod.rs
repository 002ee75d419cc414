//! The API from outside, over real connections.

mod access;
mod api_keys;
mod base;
mod blobs;
mod context;
mod hostile;
mod lists;
mod logs;
mod manifests;
mod referrers;
mod sessions;
mod tokens;
mod uploads;
