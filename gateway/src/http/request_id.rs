//! Names for requests, by which a client's complaint and the log's lines find each other.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

use axum::http::HeaderMap;
use zot_contract::RequestId;

use super::header::REQUEST_ID;

/// The longest name that is taken from a client, in characters.
const LENGTH_MAX: usize = 128;

/// Names requests: unique in this process, and most likely among others too.
pub(super) struct RequestIds {
    /// Odd, so that multiples of it do not repeat before all 2^64 values have been used.
    step: u64,
    next: AtomicU64,
}

impl Default for RequestIds {
    fn default() -> Self {
        let random = RandomState::new();
        Self { step: random.hash_one(0) | 1, next: AtomicU64::new(random.hash_one(1)) }
    }
}

impl RequestIds {
    /// The name that the client gave its request, if it is a sane one, or a new one.
    pub(super) fn of(&self, headers: &HeaderMap) -> RequestId {
        let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
        match given.filter(|text| is_sane(text)) {
            Some(text) => RequestId::new(text),
            None => RequestId::new(&format!("{:016x}", self.next.fetch_add(self.step, Ordering::Relaxed))),
        }
    }
}

fn is_sane(text: &str) -> bool {
    (1..=LENGTH_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ() {
        let ids = RequestIds::default();
        let names: std::collections::HashSet<String> = (0..1000).map(|_| ids.of(&HeaderMap::new()).to_string()).collect();
        assert_eq!(names.len(), 1000);
    }

    #[test]
    fn a_sane_name_is_taken_over() {
        let ids = RequestIds::default();
        let named = |text: &str| ids.of(&HeaderMap::from_iter([(REQUEST_ID, text.parse().unwrap())])).to_string();
        assert_eq!(named("trace/1-2"), "trace/1-2");
        for text in ["", "a b", "a\tb", &"x".repeat(129)] {
            assert_ne!(named(text), text);
        }
    }
}
