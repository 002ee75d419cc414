//! The all-in-one registry.
fn main() {}
