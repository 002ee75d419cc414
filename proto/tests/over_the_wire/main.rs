//! What holds between the two ends of a connection.
#![cfg(test)]

mod cluster;
mod contract;
mod failures;
mod files;
mod lanes;
mod older;
mod scripted;
mod secured;
mod streams;
mod wire;
