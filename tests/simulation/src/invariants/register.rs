//! A tag is a register: there is one order of all reads and writes in which each read sees the last write, and which keeps to the clock.
//!
//! No two writes write the same value, so that the check is exact without a search (Gibbons and Korach, 1997): of each value, the time from
//! the first end of anything done with it to the last beginning is when it must have been there (or, the other way round, when it may have
//! been there for an instant only). There is an order if no two of the former meet, and none of the latter lies within one of the former.

use std::collections::BTreeMap;

use zot_oci::Digest;

/// The reads and writes of all tags.
#[derive(Default)]
pub(crate) struct Register(BTreeMap<String, BTreeMap<Option<Digest>, Value>>);

/// All that was done with one value of one tag.
#[derive(Clone, Copy)]
struct Value {
    /// When its write began; nothing is written by nobody, at the beginning.
    written: u64,
    first_end: u64,
    last_beginning: u64,
    seen: bool,
    acknowledged: bool,
}

impl Register {
    /// A write begins.
    pub(crate) fn begin(&mut self, tag: &str, value: Digest, at: u64) {
        let write = Value { written: at, first_end: u64::MAX, last_beginning: at, seen: false, acknowledged: false };
        self.values(tag).insert(Some(value), write);
    }

    /// The write of a value was acknowledged. One that never is may happen at any time, or not at all.
    pub(crate) fn acknowledge(&mut self, tag: &str, value: Digest, at: u64) {
        if let Some(write) = self.values(tag).get_mut(&Some(value)) {
            write.first_end = write.first_end.min(at);
            write.acknowledged = true;
        }
    }

    /// A value was read between two times. Returns whether anybody ever wrote it.
    #[must_use]
    pub(crate) fn read(&mut self, tag: &str, value: Option<Digest>, (began, ended): (u64, u64)) -> bool {
        let Some(value) = self.values(tag).get_mut(&value) else { return false };
        value.first_end = value.first_end.min(ended);
        value.last_beginning = value.last_beginning.max(began);
        value.seen = true;
        value.written < ended
    }

    /// The tags of which a push was acknowledged.
    pub(crate) fn acknowledged(&self) -> Vec<String> {
        let acknowledged =
            |values: &BTreeMap<_, Value>| values.iter().any(|(value, state): (&Option<Digest>, _)| value.is_some() && state.acknowledged);
        self.0.iter().filter(|(_, values)| acknowledged(values)).map(|(tag, _)| tag.clone()).collect()
    }

    /// The tags for which there is no such order, with why.
    pub(crate) fn violations(&self) -> Vec<String> {
        let violation = |(tag, values)| violation(values).map(|why| format!("tag {tag} is no register: {why}"));
        self.0.iter().filter_map(violation).collect()
    }

    fn values(&mut self, tag: &str) -> &mut BTreeMap<Option<Digest>, Value> {
        let nothing = Value { written: 0, first_end: 0, last_beginning: 0, seen: true, acknowledged: true };
        self.0.entry(tag.to_owned()).or_insert_with(|| [(None, nothing)].into())
    }
}

fn violation(values: &BTreeMap<Option<Digest>, Value>) -> Option<String> {
    // What was neither acknowledged nor seen need not have happened.
    let happened: Vec<_> = values.iter().filter(|(_, value)| value.seen || value.acknowledged).collect();
    let (lasting, brief): (Vec<_>, Vec<_>) = happened.into_iter().partition(|(_, value)| value.first_end < value.last_beginning);
    for (place, (name, one)) in lasting.iter().enumerate() {
        for (other_name, other) in &lasting[place + 1..] {
            if one.first_end < other.last_beginning && other.first_end < one.last_beginning {
                return Some(format!("{} and {} were there at the same time", print(name), print(other_name)));
            }
        }
        for (other_name, other) in &brief {
            if one.first_end < other.last_beginning && other.first_end < one.last_beginning {
                return Some(format!("{} came and went while {} was there", print(other_name), print(name)));
            }
        }
    }
    None
}

fn print(value: &Option<Digest>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |digest| digest.hex()[..8].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(name: &str) -> Digest {
        Digest::sha256(name.as_bytes())
    }

    fn written(writes: &[(&str, u64, u64)]) -> Register {
        let mut register = Register::default();
        for (value, began, ended) in writes {
            register.begin("t", digest(value), *began);
            register.acknowledge("t", digest(value), *ended);
        }
        register
    }

    fn read(mut register: Register, reads: &[(Option<&str>, u64, u64)]) -> bool {
        let known = reads.iter().all(|(value, began, ended)| register.read("t", value.map(digest), (*began, *ended)));
        known && register.violations().is_empty()
    }

    #[test]
    fn the_last_write_is_read() {
        let register = || written(&[("a", 1, 2), ("b", 5, 6)]);
        assert!(read(register(), &[(Some("a"), 3, 4), (Some("b"), 7, 8)]));
        assert!(!read(register(), &[(Some("a"), 7, 8)]), "an old value");
        assert!(!read(register(), &[(None, 3, 4)]), "a lost write");
        assert!(!read(register(), &[(Some("c"), 3, 4)]), "a value of nobody");
        assert!(!read(register(), &[(Some("b"), 3, 4)]), "a value of the future");
    }

    #[test]
    fn writes_at_the_same_time_have_one_order() {
        let register = || written(&[("a", 1, 9), ("b", 1, 9)]);
        assert!(read(register(), &[(Some("a"), 2, 3), (Some("b"), 4, 5)]));
        assert!(read(register(), &[(Some("b"), 2, 3), (Some("a"), 4, 5)]));
        assert!(!read(register(), &[(Some("b"), 2, 3), (Some("a"), 4, 5), (Some("b"), 6, 7)]), "a value that came back");
    }

    #[test]
    fn a_write_that_was_not_acknowledged_may_happen_or_not() {
        let register = || {
            let mut register = written(&[("a", 1, 2)]);
            register.begin("t", digest("b"), 3);
            register
        };
        assert!(read(register(), &[(Some("a"), 8, 9)]));
        assert!(read(register(), &[(Some("a"), 4, 5), (Some("b"), 8, 9)]));
        assert!(!read(register(), &[(Some("b"), 4, 5), (Some("a"), 8, 9)]), "what was seen does not go again");
    }
}
