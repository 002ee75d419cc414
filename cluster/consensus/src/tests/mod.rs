//! Whole clusters in one process, over a network that can be cut, mostly in simulated time.

mod failover;
mod forming;
mod halfway;
mod jobs;
mod lease;
mod moving;
mod nemesis;
mod network;
mod paused;
mod removal;
