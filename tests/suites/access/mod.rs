//! Who may do what, on real ports: one way of proving who one is, or one rule, a file.

mod api_keys;
mod audit;
mod canary;
mod certificates;
mod directory;
mod matrix;
mod passwords;
mod rate;
mod reload;
mod secrets;
mod strangers;
mod ways;
mod workloads;
