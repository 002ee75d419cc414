//! One test binary for all topics: the sandbox is linked once, and a topic is a file with a line here.
#![cfg(test)]

mod access;
mod adopt;
mod base;
mod blobs;
mod command;
mod concurrency;
mod credentials;
mod deploy;
mod docker;
mod examples;
mod front;
mod hostile;
mod limits;
mod lists;
mod login;
mod logs;
mod manifests;
mod ready;
mod rebuild;
mod rebuild_remote;
mod referrers;
mod registry;
mod restart;
mod start;
mod stopping;
mod stores;
mod tidy;
mod tls;
mod uploads;
mod wire;
