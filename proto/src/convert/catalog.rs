//! Lists, on the wire.

use std::{error::Error as StdError, str::FromStr};

use zot_contract::{Page, PageRequest};
use zot_oci::{Descriptor, Digest};

use super::{Malformed, parse, parse_optional};
use crate::v1;

impl<T: ToString> From<&PageRequest<T>> for v1::PageRequest {
    fn from(page: &PageRequest<T>) -> Self {
        Self { after: page.after.as_ref().map(T::to_string), entries_max: u64::try_from(page.entries_max).unwrap_or(u64::MAX) }
    }
}

impl From<v1::PageRequest> for PageRequest {
    fn from(wire: v1::PageRequest) -> Self {
        Self { after: wire.after.map(Into::into), entries_max: usize::try_from(wire.entries_max).unwrap_or(usize::MAX) }
    }
}

impl TryFrom<v1::PageRequest> for PageRequest<Digest> {
    type Error = Malformed;

    fn try_from(wire: v1::PageRequest) -> Result<Self, Malformed> {
        let PageRequest { after, entries_max } = wire.into();
        Ok(Self { after: parse_optional("after", after.as_deref())?, entries_max })
    }
}

impl<T: ToString> From<Page<T>> for v1::Page {
    fn from(page: Page<T>) -> Self {
        Self { entries: page.entries.iter().map(ToString::to_string).collect(), more: page.more }
    }
}

impl<T> TryFrom<v1::Page> for Page<T>
where
    T: FromStr<Err: StdError + Send + Sync + 'static>,
{
    type Error = Malformed;

    fn try_from(wire: v1::Page) -> Result<Self, Malformed> {
        let entries = wire.entries.iter().map(|entry| parse("entry", entry)).collect::<Result<_, _>>()?;
        Ok(Self { entries, more: wire.more })
    }
}

impl From<Descriptor> for v1::Descriptor {
    fn from(descriptor: Descriptor) -> Self {
        Self {
            media_type: descriptor.media_type,
            digest: descriptor.digest.to_string(),
            size: descriptor.size,
            artifact_type: descriptor.artifact_type,
            annotations: descriptor.annotations.into_iter().collect(),
        }
    }
}

impl TryFrom<v1::Descriptor> for Descriptor {
    type Error = Malformed;

    fn try_from(wire: v1::Descriptor) -> Result<Self, Malformed> {
        Ok(Self {
            media_type: wire.media_type,
            digest: parse("digest", &wire.digest)?,
            size: wire.size,
            artifact_type: wire.artifact_type,
            annotations: wire.annotations.into_iter().collect(),
        })
    }
}
