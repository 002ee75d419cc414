//! What arrives by the network, whole, damaged or made up: it is read or refused, and what was read is written and read again as the same.

use proptest::prelude::*;
use std::fmt::Debug;

use prost::Message;
use zot_cluster::{Status, View};
use zot_contract::{ApiKey, Context, Error, FoundUser, ManifestPush, Page, PageRequest, PushedManifest, StoredManifest, UserRecord};
use zot_oci::{ByteRange, Descriptor, Digest, RepositoryName, Tag};

use super::{ChunkHeader, Malformed};
use crate::v1::{self, error::Kind};

/// A place in a message, how many bytes are removed there, and what is put in.
type Edit = (prop::sample::Index, usize, Vec<u8>);

fn any_edits() -> impl Strategy<Value = Vec<Edit>> {
    prop::collection::vec((any::<prop::sample::Index>(), 0..3_usize, prop::collection::vec(any::<u8>(), 0..3)), 0..4)
}

fn edited(mut bytes: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for (place, removed, put_in) in edits {
        let place = place.index(bytes.len() + 1);
        let end = bytes.len().min(place + removed);
        bytes.splice(place..end, put_in.iter().copied());
    }
    bytes
}

/// What `sample` is after `edits`, if that is a message still.
fn message<W: Message + Default>(sample: &W, edits: &[Edit]) -> Option<W> {
    W::decode(&*edited(sample.encode_to_vec(), edits)).ok()
}

/// Holds a message to what is promised: `sample` as it is must be understood, and after `edits` it may be refused.
fn survives<W, T>(sample: &W, edits: &[Edit], written: impl Fn(&T) -> W) -> Result<(), TestCaseError>
where
    W: Message + Default + Clone + PartialEq + Debug,
    T: TryFrom<W>,
    Malformed: From<T::Error>,
{
    let read = |wire: W| T::try_from(wire).map_err(Malformed::from);
    let Some(Ok(first)) = message(sample, edits).map(read) else {
        prop_assert!(!edits.is_empty(), "{sample:?} is not understood");
        return Ok(());
    };
    let once = written(&first);
    let again = read(once.clone()).map_err(|error| TestCaseError::fail(format!("{once:?}: {error}")))?;
    prop_assert_eq!(&written(&again), &once);
    prop_assert!(!edits.is_empty() || once == *sample, "{:?} became {:?}", sample, once);
    Ok(())
}

fn digest() -> String {
    Digest::sha256(b"x").to_string()
}

fn id() -> String {
    "67e55044-10b1-426f-9247-bb680e5fe0c8".to_owned()
}

fn context() -> v1::Context {
    v1::Context {
        user: Some("alice".to_owned()),
        request: id(),
        trace: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        routed: Some(v1::Routed { view: 7, failover: true }),
        claim: Some(vec![1, 2, 3].into()),
        operation: Some(v1::Operation { id: vec![7; 16].into(), again: true }),
    }
}

fn manifest_push() -> v1::ManifestPush {
    v1::ManifestPush {
        digest: digest(),
        tags: vec!["v1".to_owned()],
        new_tags: vec!["v2".to_owned()],
        existing_tags: vec!["v3".to_owned()],
        media_type: "a/b".to_owned(),
        content: "{}".into(),
    }
}

fn stored_manifest() -> v1::StoredManifest {
    v1::StoredManifest { info: Some(v1::ManifestInfo { digest: digest(), media_type: "a/b".to_owned(), size: 2 }), content: "{}".into() }
}

fn descriptor() -> v1::Descriptor {
    let annotations = [("a".to_owned(), "b".to_owned())].into();
    v1::Descriptor { media_type: "a/b".to_owned(), digest: digest(), size: 7, artifact_type: Some("c/d".to_owned()), annotations }
}

fn page(entries: [&str; 2]) -> v1::Page {
    v1::Page { entries: entries.map(str::to_owned).into(), more: true }
}

fn status() -> v1::ClusterStatus {
    let member = v1::Member { id: 2, name: "n".to_owned(), address: "n:9090".to_owned(), state: v1::MemberState::Draining.into() };
    let view = v1::View { number: 3, storage: v1::StorageKind::Local.into(), members: vec![member], cluster: Some(id()) };
    let job = v1::JobStatus {
        name: "reap".to_owned(),
        holder: Some(2),
        epoch: 4,
        last_run_unix_milliseconds: Some(5),
        last_result: Some("done".to_owned()),
    };
    v1::ClusterStatus { node: 1, leader: Some(2), term: 6, view: Some(view), jobs: vec![job] }
}

fn found_user() -> v1::FoundUser {
    let key = v1::ApiKey {
        id: id(),
        label: "ci".to_owned(),
        secret_sha256: vec![9; 32].into(),
        scopes: vec!["a".to_owned()],
        created_unix_ms: 1,
        expires_unix_ms: Some(2),
        last_used_unix_ms: Some(3),
        user_agent: "crane".to_owned(),
    };
    let record = v1::UserRecord {
        groups: vec!["devs".to_owned()],
        api_keys: vec![key],
        starred: vec!["a/b".to_owned()],
        bookmarked: vec!["c".to_owned()],
        sessions_valid_from_unix_ms: 8,
    };
    v1::FoundUser { revision: 5, record: Some(record) }
}

fn errors() -> [v1::Error; 6] {
    let (repository, upload) = ("a/b".to_owned(), id());
    let types = v1::MediaTypeMismatch { inside: "a/b".to_owned(), outside: "c/d".to_owned() };
    let invalid = v1::ManifestInvalid { reason: Some(v1::manifest_invalid::Reason::MediaTypeMismatch(types)) };
    [
        Kind::BlobReferenced(v1::BlobReferenced { repository: repository.clone(), digest: digest(), manifest: digest() }),
        Kind::ManifestUnknown(v1::ManifestUnknown { repository, reference: "v1".to_owned() }),
        Kind::UploadOffset(v1::UploadOffset { upload, expected: 1, found: 2 }),
        Kind::UserTooLarge(v1::UserTooLarge { user: "alice".to_owned(), bytes: 3 }),
        Kind::ManifestInvalid(invalid),
        Kind::Internal(v1::Internal { causes: vec!["write".to_owned(), "no space left".to_owned()] }),
    ]
    .map(|kind| v1::Error { retry_after_milliseconds: None, kind: Some(kind) })
}

proptest! {
    #[test]
    fn what_is_asked_is_understood_or_refused(edits in any_edits()) {
        survives(&context(), &edits, |cx: &Context| cx.into())?;
        survives(&manifest_push(), &edits, |push: &ManifestPush| push.clone().into())?;
        survives(&v1::ByteRange { first: 3, last: 300 }, &edits, |range: &ByteRange| (*range).into())?;
        let page = v1::PageRequest { after: Some(digest()), entries_max: 100 };
        survives(&page, &edits, |page: &PageRequest| page.into())?;
        survives(&page, &edits, |page: &PageRequest<Digest>| page.into())?;
        let header = v1::ChunkHeader { context: Some(context()), repository: "a".to_owned(), upload: id(), at: Some(7), length: Some(9) };
        let understood = message(&header, &edits).is_some_and(|wire| ChunkHeader::try_from(wire).is_ok());
        prop_assert!(understood || !edits.is_empty());
    }

    #[test]
    fn what_is_answered_is_understood_or_refused(edits in any_edits()) {
        survives(&v1::PushedManifest { subject: Some(digest()) }, &edits, |pushed: &PushedManifest| pushed.clone().into())?;
        survives(&stored_manifest(), &edits, |manifest: &StoredManifest| manifest.clone().into())?;
        survives(&descriptor(), &edits, |descriptor: &Descriptor| descriptor.clone().into())?;
        survives(&page(["a", "a/b"]), &edits, |page: &Page<RepositoryName>| page.clone().into())?;
        survives(&page(["v1", "v2"]), &edits, |page: &Page<Tag>| page.clone().into())?;
        survives(&found_user(), &edits, |user: &FoundUser| user.into())?;
        let record = found_user().record.unwrap();
        survives(&record.api_keys[0], &edits, |key: &ApiKey| key.into())?;
        survives(&record, &edits, |record: &UserRecord| record.into())?;
    }

    #[test]
    fn what_is_said_of_a_cluster_is_understood_or_refused(edits in any_edits()) {
        survives(&status(), &edits, |status: &Status| status.clone().into())?;
        survives(&status().view.unwrap(), &edits, |view: &View| view.into())?;
    }

    #[test]
    fn errors_are_understood_or_refused(edits in any_edits()) {
        for error in errors() {
            // The names of what is unavailable are kept for the whole process: made-up ones would take the place of those that other tests use.
            if message(&error, &edits).is_none_or(|wire| !matches!(wire.kind, Some(Kind::Unavailable(_)))) {
                survives(&error, &edits, |error: &Error| error.into())?;
            }
        }
    }
}
