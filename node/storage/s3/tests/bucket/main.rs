//! The store over a real S3 server: the suites of the port and of the contract, and what goes wrong between the store and a server.

#![cfg(test)]

mod calls;
mod faults;
mod layouts;
mod limits;
mod opening;
mod orphans;
mod proxy;
mod reads;
mod server;
mod suites;
mod uploads;
