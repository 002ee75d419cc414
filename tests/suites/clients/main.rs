//! What real clients and the specification's own conformance suite see.
#![cfg(test)]

mod authority;
mod conformance;
mod layout;
mod program;
