//! Manifests, on the wire.

use zot_contract::{ManifestInfo, ManifestPush, PushedManifest, StoredManifest, TagPush, TagRule};

use super::{Malformed, parse, parse_optional, required};
use crate::v1;

impl From<ManifestPush> for v1::ManifestPush {
    fn from(push: ManifestPush) -> Self {
        let tags = |rule| push.tags.iter().filter(|pushed| pushed.rule == rule).map(|pushed| pushed.tag.to_string()).collect();
        Self {
            digest: push.digest.to_string(),
            tags: tags(TagRule::Any),
            new_tags: tags(TagRule::New),
            existing_tags: tags(TagRule::Existing),
            media_type: push.media_type.to_string(),
            content: push.bytes,
        }
    }
}

impl TryFrom<v1::ManifestPush> for ManifestPush {
    type Error = Malformed;

    fn try_from(wire: v1::ManifestPush) -> Result<Self, Malformed> {
        let lists = [(&wire.tags, TagRule::Any), (&wire.new_tags, TagRule::New), (&wire.existing_tags, TagRule::Existing)];
        let tags = lists.into_iter().flat_map(|(tags, rule)| tags.iter().map(move |tag| (tag, rule)));
        Ok(Self {
            digest: parse("digest", &wire.digest)?,
            tags: tags.map(|(tag, rule)| Ok(TagPush { tag: parse("tag", tag)?, rule })).collect::<Result<_, Malformed>>()?,
            media_type: parse("media type", &wire.media_type)?,
            bytes: wire.content,
        })
    }
}

impl From<PushedManifest> for v1::PushedManifest {
    fn from(pushed: PushedManifest) -> Self {
        Self { subject: pushed.subject.map(|digest| digest.to_string()) }
    }
}

impl TryFrom<v1::PushedManifest> for PushedManifest {
    type Error = Malformed;

    fn try_from(wire: v1::PushedManifest) -> Result<Self, Malformed> {
        Ok(Self { subject: parse_optional("subject", wire.subject.as_deref())? })
    }
}

impl From<ManifestInfo> for v1::ManifestInfo {
    fn from(info: ManifestInfo) -> Self {
        Self { digest: info.digest.to_string(), media_type: info.media_type.to_string(), size: info.size }
    }
}

impl TryFrom<v1::ManifestInfo> for ManifestInfo {
    type Error = Malformed;

    fn try_from(wire: v1::ManifestInfo) -> Result<Self, Malformed> {
        Ok(Self { digest: parse("digest", &wire.digest)?, media_type: parse("media type", &wire.media_type)?, size: wire.size })
    }
}

impl From<StoredManifest> for v1::StoredManifest {
    fn from(manifest: StoredManifest) -> Self {
        Self { info: Some(manifest.info.into()), content: manifest.bytes }
    }
}

impl TryFrom<v1::StoredManifest> for StoredManifest {
    type Error = Malformed;

    fn try_from(wire: v1::StoredManifest) -> Result<Self, Malformed> {
        Ok(Self { info: required("description of the manifest", wire.info)?, bytes: wire.content })
    }
}
