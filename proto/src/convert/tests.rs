//! That a message which says something impossible is refused, and not believed in part.

use zot_contract::{ApiKey, Context, FoundUser, ManifestPush, Page, PushedManifest, StoredManifest, UserRecord};
use zot_oci::{ByteRange, Descriptor, Digest, InvalidManifest, RepositoryName, Tag};

use super::{ChunkHeader, required};
use crate::v1;

fn digest() -> String {
    Digest::sha256(b"").to_string()
}

fn manifest_push() -> v1::ManifestPush {
    v1::ManifestPush {
        digest: digest(),
        tags: vec!["v1".to_owned()],
        media_type: "a/b".to_owned(),
        content: "{}".into(),
        ..Default::default()
    }
}

fn chunk_header() -> v1::ChunkHeader {
    let upload = "67e55044-10b1-426f-9247-bb680e5fe0c8".to_owned();
    v1::ChunkHeader { context: Some(v1::Context::default()), repository: "a".to_owned(), upload, at: Some(u64::MAX), length: None }
}

#[test]
fn what_makes_sense_is_understood() {
    assert!(ManifestPush::try_from(manifest_push()).is_ok());
    assert!(ChunkHeader::try_from(chunk_header()).is_ok());
    assert!(ByteRange::try_from(v1::ByteRange { first: 3, last: 3 }).is_ok());
}

#[test]
fn a_manifest_of_nonsense_is_refused() {
    let wrong = [
        v1::ManifestPush { digest: "sha256:0".to_owned(), ..manifest_push() },
        v1::ManifestPush { tags: vec!["v1".to_owned(), "../v2".to_owned()], ..manifest_push() },
        v1::ManifestPush { new_tags: vec!["../v2".to_owned()], ..manifest_push() },
        v1::ManifestPush { existing_tags: vec![String::new()], ..manifest_push() },
        v1::ManifestPush { media_type: "a/b\r\nc: d".to_owned(), ..manifest_push() },
    ];
    for wire in wrong {
        assert!(ManifestPush::try_from(wire.clone()).is_err(), "{wire:?}");
    }
    assert!(PushedManifest::try_from(v1::PushedManifest { subject: Some(String::new()) }).is_err());
    assert!(StoredManifest::try_from(v1::StoredManifest::default()).is_err());
    assert!(InvalidManifest::try_from(v1::ManifestInvalid::default()).is_err());
}

#[test]
fn a_chunk_of_nonsense_is_refused() {
    let wrong = [
        v1::ChunkHeader { context: None, ..chunk_header() },
        v1::ChunkHeader { repository: "a/../b".to_owned(), ..chunk_header() },
        v1::ChunkHeader { upload: "../../etc/passwd".to_owned(), ..chunk_header() },
    ];
    for wire in wrong {
        assert!(ChunkHeader::try_from(wire.clone()).is_err(), "{wire:?}");
    }
}

#[test]
fn a_list_of_nonsense_is_refused() {
    let page = v1::Page { entries: vec!["a".to_owned(), "A B".to_owned()], more: false };
    assert!(Page::<RepositoryName>::try_from(page.clone()).is_err());
    assert!(Page::<Tag>::try_from(page).is_err());
    assert!(Descriptor::try_from(v1::Descriptor::default()).is_err());
    assert!(ByteRange::try_from(v1::ByteRange { first: 4, last: 3 }).is_err());
}

#[test]
fn a_user_of_nonsense_is_refused() {
    let key =
        || v1::ApiKey { id: "67e55044-10b1-426f-9247-bb680e5fe0c8".to_owned(), secret_sha256: vec![0; 32].into(), ..Default::default() };
    assert!(ApiKey::try_from(key()).is_ok());
    let wrong =
        [v1::ApiKey { id: "../etc".to_owned(), ..key() }, v1::ApiKey { secret_sha256: vec![0; 31].into(), ..key() }, v1::ApiKey::default()];
    for wire in wrong {
        assert!(ApiKey::try_from(wire.clone()).is_err(), "{wire:?}");
    }
    assert!(UserRecord::try_from(v1::UserRecord { starred: vec!["A B".to_owned()], ..Default::default() }).is_err());
    assert!(FoundUser::try_from(v1::FoundUser::default()).is_err());
}

#[test]
fn what_is_absent_is_named() {
    let missing = required::<_, Context>("context", None::<v1::Context>).unwrap_err();
    assert_eq!(missing.to_string(), "message has no context");
}

#[test]
fn what_a_later_release_finds_ambiguous_is_told_in_words() {
    let reason = v1::manifest_invalid::Reason::Ambiguous("blobs".to_owned());
    let told = InvalidManifest::try_from(v1::ManifestInvalid { reason: Some(reason) }).unwrap();
    assert!(told.to_string().contains("`blobs`"), "{told}");
}
