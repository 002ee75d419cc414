//! What lanes carry: a kind, a length, and so many bytes.

use bytes::{Buf as _, BufMut as _, BytesMut};
use prost::Message;

/// How both ends begin a lane.
pub(crate) const MAGIC: &[u8; 8] = b"zotlane1";
/// The most bytes of a frame that is not data: what an error says is bounded in `convert/error.rs`.
pub(super) const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// The kind and the length.
pub(super) const HEADER_BYTES: usize = 5;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A `LaneRequest`.
    Request = 1,
    /// A `ReadBlobHeader`: the blob is there, and follows.
    Header = 2,
    /// Bytes of the blob.
    Data = 3,
    /// The blob is whole.
    End = 4,
    /// `Details`: why there is no blob, or no more of it.
    Refused = 5,
    /// Nothing yet, but somebody is there.
    Alive = 6,
    /// A `BlobElsewhere`: where the blob is, for who asked whether it is elsewhere.
    Elsewhere = 7,
}

/// The beginning of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) length: usize,
}

/// Bytes that are no frame.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum NoFrame {
    #[error("a frame of the unknown kind {0}")]
    Kind(u8),
    #[error("a message of {0} bytes, which is too many")]
    TooLong(usize),
}

impl Header {
    /// Takes the next one out of what came, if all of it is there.
    pub(super) fn take(bytes: &mut BytesMut) -> Result<Option<Self>, NoFrame> {
        if bytes.len() < HEADER_BYTES {
            return Ok(None);
        }
        let (kind, length) = (Kind::of(bytes.get_u8())?, bytes.get_u32() as usize);
        if kind != Kind::Data && length > MESSAGE_BYTES_MAX {
            return Err(NoFrame::TooLong(length));
        }
        Ok(Some(Self { kind, length }))
    }
}

impl Kind {
    fn of(byte: u8) -> Result<Self, NoFrame> {
        let all = [Self::Request, Self::Header, Self::Data, Self::End, Self::Refused, Self::Alive, Self::Elsewhere];
        all.into_iter().find(|kind| *kind as u8 == byte).ok_or(NoFrame::Kind(byte))
    }

    /// Puts the beginning of a frame of this kind.
    pub(super) fn put(self, length: u32, bytes: &mut BytesMut) {
        bytes.reserve(HEADER_BYTES);
        bytes.put_u8(self as u8);
        bytes.put_u32(length);
    }

    /// Puts a frame with `message`. One that is too long is cut off by whoever reads it.
    pub(super) fn put_message(self, message: &impl Message, bytes: &mut BytesMut) {
        let length = message.encoded_len();
        self.put(u32::try_from(length).unwrap_or(u32::MAX), bytes);
        bytes.put(&*message.encode_to_vec());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::v1;

    const KINDS: [Kind; 7] = [Kind::Request, Kind::Header, Kind::Data, Kind::End, Kind::Refused, Kind::Alive, Kind::Elsewhere];

    #[test]
    fn a_frame_is_read_as_it_was_put() {
        let mut bytes = BytesMut::new();
        Kind::Header.put_message(&v1::ReadBlobHeader { size: 300 }, &mut bytes);
        Kind::Data.put(u32::MAX, &mut bytes);
        assert_eq!(Header::take(&mut bytes), Ok(Some(Header { kind: Kind::Header, length: 3 })));
        bytes.advance(3);
        assert_eq!(Header::take(&mut bytes), Ok(Some(Header { kind: Kind::Data, length: u32::MAX as usize })));
        assert_eq!(Header::take(&mut bytes), Ok(None));
    }

    #[test]
    fn a_part_of_a_header_waits_for_the_rest() {
        let mut bytes = BytesMut::new();
        Kind::End.put(0, &mut bytes);
        let mut part = BytesMut::from(&bytes[..4]);
        assert_eq!(Header::take(&mut part), Ok(None));
        assert_eq!(part.len(), 4);
    }

    #[test]
    fn what_is_no_frame_is_not_read() {
        assert_eq!(Header::take(&mut BytesMut::from(&[0, 0, 0, 0, 0][..])), Err(NoFrame::Kind(0)));
        assert_eq!(Header::take(&mut BytesMut::from(&b"GET / HTTP/1.1"[..])), Err(NoFrame::Kind(b'G')));
        assert_eq!(Header::take(&mut BytesMut::from(&[1, 0, 1, 0, 1][..])), Err(NoFrame::TooLong(65537)));
    }

    #[test]
    fn no_lane_begins_as_http2_does() {
        assert!(!b"PRI * HTTP/2.0".starts_with(MAGIC));
        assert_ne!(MAGIC[..3], b"PRI"[..]);
    }
    /// Bytes, and what is nearly headers, with lengths around what is too long.
    fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
        let lengths = prop_oneof![0..3_u32, 60_000..70_000_u32, any::<u32>()];
        let headers = prop::collection::vec((0..9_u8, lengths), 0..6);
        let written = |(kind, length): (u8, u32)| std::iter::once(kind).chain(length.to_be_bytes());
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            headers.prop_map(move |headers| headers.into_iter().flat_map(written).collect()),
        ]
    }

    proptest! {
        #[test]
        fn any_bytes_are_headers_or_refused(bytes in any_bytes()) {
            let mut left = BytesMut::from(&*bytes);
            while let Ok(Some(header)) = Header::take(&mut left) {
                prop_assert!(header.kind == Kind::Data || header.length <= MESSAGE_BYTES_MAX);
                let mut written = BytesMut::new();
                header.kind.put(u32::try_from(header.length).unwrap(), &mut written);
                let end = bytes.len() - left.len();
                prop_assert_eq!(&written[..], &bytes[end - HEADER_BYTES..end]);
                left.advance(header.length.min(left.len()));
            }
        }

        #[test]
        fn frames_are_read_as_they_were_put(
            frames in prop::collection::vec((prop::sample::select(&KINDS[..]), prop::collection::vec(any::<u8>(), 0..300)), 0..6),
            part in any::<prop::sample::Index>(),
        ) {
            let mut bytes = BytesMut::new();
            for (kind, content) in &frames {
                kind.put(u32::try_from(content.len()).unwrap(), &mut bytes);
                bytes.put(&content[..]);
            }
            // They come in two parts, wherever they were parted.
            let mut rest = bytes.split_off(part.index(bytes.len() + 1));
            for (kind, content) in &frames {
                let header = match Header::take(&mut bytes).unwrap() {
                    Some(header) => header,
                    None => {
                        bytes.unsplit(rest.split());
                        Header::take(&mut bytes).unwrap().unwrap()
                    }
                };
                prop_assert_eq!(header, Header { kind: *kind, length: content.len() });
                if bytes.len() < content.len() {
                    bytes.unsplit(rest.split());
                }
                prop_assert_eq!(&bytes.split_to(header.length)[..], &content[..]);
            }
            prop_assert!(bytes.is_empty() && rest.is_empty());
        }

        #[test]
        fn any_bytes_are_a_message_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(request) = v1::LaneRequest::decode(&*bytes) {
                prop_assert_eq!(v1::LaneRequest::decode(&*request.encode_to_vec()), Ok(request));
            }
        }
    }
}
