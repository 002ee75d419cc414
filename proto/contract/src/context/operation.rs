//! What a client asked for once, however many members are asked to do it.

use std::{
    fmt,
    str::FromStr,
    time::{SystemTime, UNIX_EPOCH},
};

use uuid::Uuid;

/// A change that may be asked for again, of another member, when an answer is not heard. What one attempt has made, or was answered, no other one
/// makes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Names it in all attempts.
    pub id: OperationId,
    /// Whether somebody may have been asked for it before.
    pub again: bool,
}

/// Who wrote last to what grows at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The operation.
    pub operation: OperationId,
    /// Where the end was before it, in bytes.
    pub from: u64,
}

impl Written {
    /// From where an operation writes to what has its end at `end` and was `last` written to: from there, or, if that was another attempt at the
    /// same, from where that one began. What is between is what it has written already.
    pub fn from(last: Option<Self>, operation: Option<Operation>, end: u64) -> u64 {
        match (last, operation) {
            // The first attempt may come last.
            (Some(last), Some(operation)) if last.operation == operation.id => last.from.min(end),
            _ => end,
        }
    }
}

/// Names an operation. Sorts by when operations were begun, as far as the clocks of those who begin them agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(Uuid);

impl OperationId {
    /// A new identifier that nobody else has, for what is begun now.
    pub fn new() -> Self {
        Self::begun_at(SystemTime::now())
    }

    fn begun_at(now: SystemTime) -> Self {
        let unix_ms = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let [random @ .., _, _, _, _, _, _] = Uuid::new_v4().into_bytes();
        Self(uuid::Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid())
    }

    /// The identifier in these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, uuid::Error> {
        Uuid::from_slice(bytes).map(Self)
    }

    /// The bytes, which sort as identifiers do.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// When it was begun, by the clock of whoever began it.
    pub fn begun_unix_ms(&self) -> u64 {
        (self.0.as_u128() >> 80) as u64
    }
}

impl Default for OperationId {
    fn default() -> Self {
        Self::new()
    }
}

impl FromStr for OperationId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::try_parse(text).map(Self)
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn operations_sort_by_when_they_were_begun() {
        let at = |unix_ms| OperationId::begun_at(UNIX_EPOCH + Duration::from_millis(unix_ms));
        let begun = [0, 1, 0xffff, 1_795_858_688_123].map(at);
        assert!(begun.is_sorted());
        assert_eq!(begun.map(|operation| operation.begun_unix_ms()), [0, 1, 0xffff, 1_795_858_688_123]);
        assert_ne!(at(7), at(7));
        let bytes = begun.map(|operation| *operation.as_bytes());
        assert!(bytes.is_sorted());
        assert_eq!(bytes.map(|bytes| OperationId::from_bytes(&bytes).unwrap()), begun);
        assert!(OperationId::from_bytes(b"short").is_err());
        let texts = begun.map(|operation| operation.to_string());
        assert!(texts.is_sorted());
        assert_eq!(texts.map(|text| text.parse::<OperationId>().unwrap()), begun);
    }
}
