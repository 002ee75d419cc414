//! The shortest program that keeps the contract.
/// A registry in memory.
#[derive(Debug, Default)]
pub struct MemoryRegistry;
