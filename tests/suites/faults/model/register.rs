//! One fact that changes: which values it may have after a failure, given what was written and what was acknowledged.

/// What a fact is: the digest of what is there, or nothing.
pub(crate) type Value = Option<String>;

/// A register with its history since its value was last seen for certain.
#[derive(Debug, Clone)]
pub(crate) struct Register {
    writes: Vec<Write>,
}

#[derive(Debug, Clone)]
struct Write {
    value: Value,
    began: u64,
    /// When it was acknowledged. One that never was may still have happened, at any time.
    ended: Option<u64>,
}

impl Register {
    /// A register that has `value` at time `now`.
    pub(crate) fn settled(value: Value, now: u64) -> Self {
        Self { writes: vec![Write { value, began: now, ended: Some(now) }] }
    }

    /// A write is under way since `began`, which no other write has.
    pub(crate) fn begin(&mut self, value: Value, began: u64) {
        self.writes.push(Write { value, began, ended: None });
    }

    /// The write since `began` was acknowledged.
    pub(crate) fn acknowledge(&mut self, began: u64, ended: u64) {
        if let Some(write) = self.writes.iter_mut().find(|write| write.began == began) {
            write.ended = Some(ended);
        }
    }

    /// What was acknowledged after `instant` was not: the world goes on from a copy that was made then.
    pub(crate) fn rewind(&mut self, instant: u64) {
        for write in &mut self.writes {
            write.ended = write.ended.filter(|ended| *ended <= instant);
        }
    }

    /// Whether the register may have `value` now: whether a write of it may have been the last.
    pub(crate) fn permits(&self, value: &Value) -> bool {
        self.writes.iter().any(|write| write.value == *value && self.may_be_last(write))
    }

    /// The value, if only one is possible.
    pub(crate) fn certain(&self) -> Option<&Value> {
        let mut possible = self.writes.iter().filter(|write| self.may_be_last(write)).map(|write| &write.value);
        let first = possible.next()?;
        possible.all(|value| value == first).then_some(first)
    }

    /// The values that are possible, for the message of a failed test.
    pub(crate) fn possible(&self) -> Vec<&Value> {
        self.writes.iter().filter(|write| self.may_be_last(write)).map(|write| &write.value).collect()
    }

    /// An acknowledged write is over once another one began after it and was acknowledged too.
    fn may_be_last(&self, write: &Write) -> bool {
        let Some(ended) = write.ended else { return true };
        !self.writes.iter().any(|later| later.began > ended && later.ended.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str) -> Value {
        Some(name.to_owned())
    }

    #[test]
    fn an_acknowledged_write_is_the_only_value() {
        let mut register = Register::settled(None, 0);
        register.begin(value("a"), 1);
        register.acknowledge(1, 2);
        assert!(register.permits(&value("a")) && !register.permits(&None));
        assert_eq!(register.certain(), Some(&value("a")));
    }

    #[test]
    fn a_write_without_an_answer_may_or_may_not_have_happened() {
        let mut register = Register::settled(value("a"), 0);
        register.begin(value("b"), 1);
        assert!(register.permits(&value("a")) && register.permits(&value("b")));
        assert_eq!(register.certain(), None);
        register.begin(value("c"), 2);
        register.acknowledge(2, 3);
        assert!(register.permits(&value("c")) && register.permits(&value("b")) && !register.permits(&value("a")));
    }

    #[test]
    fn what_was_acknowledged_after_the_instant_of_a_copy_may_or_may_not_be_in_it() {
        let mut register = Register::settled(None, 0);
        register.begin(value("a"), 1);
        register.acknowledge(1, 2);
        register.begin(value("b"), 3);
        register.acknowledge(3, 4);
        register.rewind(2);
        assert!(register.permits(&value("a")) && register.permits(&value("b")) && !register.permits(&None));
    }

    #[test]
    fn of_writes_at_the_same_time_any_may_be_the_last() {
        let mut register = Register::settled(None, 0);
        register.begin(value("a"), 1);
        register.begin(value("b"), 2);
        register.acknowledge(2, 3);
        register.acknowledge(1, 4);
        assert!(register.permits(&value("a")) && register.permits(&value("b")) && !register.permits(&None));
    }
}
