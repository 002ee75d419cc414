//! What holds between the two ends of a connection.
#![cfg(test)]

mod contract;
mod failures;
mod scripted;
mod streams;
mod wire;
