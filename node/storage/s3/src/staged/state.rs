//! What another process needs to take an upload up: where its bytes are in the bucket.

use bytes::Bytes;
use prost::Message;

use crate::parts::parts_bytes;

/// Where the bytes of an upload are.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct State {
    /// The size of the first parts, in bytes. The configuration may say another one later.
    #[prost(uint64, tag = "1")]
    pub(crate) part_bytes: u64,
    /// The place that the parts go to; empty as long as there are none.
    #[prost(string, tag = "2")]
    pub(crate) place: String,
    /// The identifier that S3 gave to the multipart upload.
    #[prost(string, tag = "3")]
    pub(crate) multipart: String,
    /// The ETags of the parts that were sent, in order.
    #[prost(string, repeated, tag = "4")]
    pub(crate) etags: Vec<String>,
    /// What follows the parts.
    #[prost(message, repeated, tag = "5")]
    pub(crate) fragments: Vec<Fragment>,
    /// The number of bytes, if they are an object at the place already: without parts then.
    #[prost(uint64, tag = "6")]
    pub(crate) completed: u64,
}

/// Bytes after the last part, in an object of their own.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Fragment {
    /// The object's name.
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    /// How many of its bytes count.
    #[prost(uint64, tag = "2")]
    pub(crate) size: u64,
}

impl State {
    /// Reads a state, unless it is none, or one that a later release wrote in another way.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let state = Self::decode(bytes).ok()?;
        (state.part_bytes > 0 && (state.etags.is_empty() || !state.multipart.is_empty())).then_some(state)
    }

    pub(crate) fn write(&self) -> Bytes {
        self.encode_to_vec().into()
    }

    /// The number of bytes.
    pub(crate) fn size(&self) -> u64 {
        self.sent() + self.fragments.iter().map(|fragment| fragment.size).sum::<u64>()
    }

    /// The number of bytes that are in parts, or completed.
    pub(crate) fn sent(&self) -> u64 {
        if self.completed > 0 { self.completed } else { parts_bytes(self.part_bytes, self.etags.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_it_was_written() {
        let fragments = vec![Fragment { name: "t".into(), size: 3 }];
        let state = State { part_bytes: 5, place: "p".into(), multipart: "m".into(), etags: vec!["e".into(); 2], fragments, completed: 0 };
        assert_eq!(State::read(&state.write()), Some(state.clone()));
        assert_eq!(state.size(), 13);
    }

    #[test]
    fn what_is_no_state_is_none() {
        for bytes in [&b""[..], b"\xff", b"nonsense"] {
            assert_eq!(State::read(bytes), None);
        }
        assert_eq!(State::read(&State { part_bytes: 5, etags: vec!["e".into()], ..State::default() }.write()), None);
    }
}
