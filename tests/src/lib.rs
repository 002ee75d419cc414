//! The sandbox that starts real registries for tests and benchmarks.
