//! The API from outside, over real connections.

<<<<<<< HEAD
mod api_keys;
=======
mod access;
>>>>>>> 58d1dd7 (What each method of each endpoint requires, tried on everybody; verify compiles the rules)
mod base;
mod blobs;
mod context;
mod hostile;
mod lists;
mod logs;
mod manifests;
mod referrers;
mod sessions;
mod uploads;
