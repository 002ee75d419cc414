//! Blobs, on the wire.

use zot_contract::BlobInfo;
use zot_oci::ByteRange;

use super::Malformed;
use crate::v1;

impl From<BlobInfo> for v1::StatBlobResponse {
    fn from(info: BlobInfo) -> Self {
        Self { size: info.size }
    }
}

impl From<v1::StatBlobResponse> for BlobInfo {
    fn from(wire: v1::StatBlobResponse) -> Self {
        Self { size: wire.size }
    }
}

impl From<ByteRange> for v1::ByteRange {
    fn from(range: ByteRange) -> Self {
        Self { first: range.first(), last: range.last() }
    }
}

impl TryFrom<v1::ByteRange> for ByteRange {
    type Error = Malformed;

    fn try_from(wire: v1::ByteRange) -> Result<Self, Malformed> {
        Self::new(wire.first, wire.last).ok_or_else(|| Malformed::Invalid { field: "range", source: "it ends before it begins".into() })
    }
}
