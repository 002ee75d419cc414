//! What holds for every input: each parser against a model that shares nothing with it, and nothing ever panics.

mod hashers;
mod manifests;
mod ranges;
mod texts;
