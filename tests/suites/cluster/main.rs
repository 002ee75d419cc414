//! What holds when processes of a cluster die, come and go: real gateways, real nodes, real S3, DynamoDB and Redis.
#![cfg(test)]

mod claims;
mod failover;
mod lists;
mod members;
mod membership;
mod memory;
mod redirect;
mod removal;
mod restart;
mod start;
mod tags;
mod uploads;
