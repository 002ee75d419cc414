//! That every error survives the way, and that what cannot be read is told sensibly.

use std::{error::Error as StdError, mem::discriminant, time::Duration};

use prost::Message as _;
use prost_types::Any;
use tonic::{Code, Status};
use zot_contract::{BoxError, Error, UploadId};
use zot_oci::{Digest, InvalidManifest};

use super::{ERROR_TYPE, RETRY_AFTER, Unreachable, error, overdue, refusal};
use crate::{convert::Malformed, v1};

/// The status as the other end gets it: through headers.
fn sent(status: &Status) -> Status {
    let response = status.clone().into_http::<()>();
    Status::from_header_map(response.headers()).unwrap()
}

fn chain(error: &Error) -> Vec<String> {
    let outermost: &(dyn StdError + 'static) = error;
    std::iter::successors(Some(outermost), |error| (**error).source()).map(ToString::to_string).collect()
}

fn retry_after(error: &Error) -> Option<Duration> {
    if let Error::Unavailable { retry_after, .. } = error { Some(*retry_after) } else { None }
}

#[derive(Debug, thiserror::Error)]
#[error("write blob")]
struct WriteBlob(#[source] std::io::Error);

fn cause() -> BoxError {
    WriteBlob(std::io::Error::other("no space\r\nleft: ä")).into()
}

fn invalid_manifests() -> Vec<InvalidManifest> {
    let ambiguous = ["manifests", "layers", "config"].map(|found| InvalidManifest::Ambiguous { found });
    let others = [
        InvalidManifest::MediaType { media_type: "text/plain".to_owned() },
        InvalidManifest::Schema { reason: "`config` is missing".to_owned() },
        InvalidManifest::MediaTypeMismatch { inside: "a/b".to_owned(), outside: "c/d".to_owned() },
    ];
    others.into_iter().chain(ambiguous).collect()
}

/// The next variant after `error`, so that the compiler asks for a new one here.
fn after(error: &Error) -> Option<Error> {
    let (repository, upload) = ("a/b".parse().unwrap(), UploadId::random());
    let (digest, other) = (Digest::sha256(b"one"), Digest::of(zot_oci::Algorithm::Sha512, b"two"));
    Some(match error {
        Error::NameUnknown { .. } => Error::BlobUnknown { repository, digest },
        Error::BlobUnknown { .. } => Error::BlobReferenced { repository, digest, manifest: other },
        Error::BlobReferenced { .. } => Error::ManifestUnknown { repository, reference: digest.into() },
        Error::ManifestUnknown { .. } => Error::ManifestInvalid { reason: InvalidManifest::Schema { reason: "it is empty".to_owned() } },
        Error::ManifestInvalid { .. } => Error::ManifestBlobUnknown { repository, digest },
        Error::ManifestBlobUnknown { .. } => Error::ManifestReferenced { repository, digest, index: other },
        Error::ManifestReferenced { .. } => Error::TagExists { repository, tag: "v1".parse().unwrap() },
        Error::TagExists { .. } => Error::TagUnknown { repository, tag: "v1".parse().unwrap() },
        Error::TagUnknown { .. } => Error::ManifestTagged { repository, digest, tags: 2 },
        Error::ManifestTagged { .. } => Error::DigestMismatch { expected: digest, found: other },
        Error::DigestMismatch { .. } => Error::UploadUnknown { upload },
        Error::UploadUnknown { .. } => Error::UploadOffset { upload, expected: 3, found: u64::MAX },
        Error::UploadOffset { .. } => Error::UploadBusy { upload },
        Error::UploadBusy { .. } => Error::UserChanged { user: "alice".parse().unwrap() },
        Error::UserChanged { user } => Error::UserTooLarge { user: user.clone(), bytes: u64::MAX },
        Error::UserTooLarge { .. } => Error::BodyBroken(cause()),
        Error::BodyBroken(_) => Error::Moved { view: u64::MAX },
        Error::Moved { .. } => Error::Unavailable { what: "room for it", retry_after: Duration::from_millis(1500), source: cause() },
        Error::Unavailable { .. } => Error::Internal(cause()),
        Error::Internal(_) => return None,
    })
}

fn assert_survives(given: &Error) {
    let back = error(&sent(&refusal(given)));
    assert_eq!(discriminant(&back), discriminant(given), "{given:?} came back as {back:?}");
    assert_eq!((chain(&back), retry_after(&back)), (chain(given), retry_after(given)));
}

#[test]
fn every_error_comes_back_as_it_went_in() {
    let first = Error::NameUnknown { repository: "a/b".parse().unwrap() };
    let all: Vec<Error> = std::iter::successors(Some(first), after).collect();
    assert_eq!(all.len(), 20);
    all.iter().for_each(assert_survives);
    invalid_manifests().into_iter().for_each(|reason| assert_survives(&Error::ManifestInvalid { reason }));
    assert_survives(&Error::ManifestUnknown { repository: "a".parse().unwrap(), reference: "latest".parse().unwrap() });
}

#[test]
fn an_error_that_quotes_a_client_fits_into_headers() {
    let text = "ä\r\n".repeat(1_000_000);
    let reason = InvalidManifest::MediaTypeMismatch { inside: text.clone(), outside: text.clone() };
    let errors = [Error::ManifestInvalid { reason }, Error::internal(text.clone()), Error::BodyBroken(text.into())];
    for given in errors {
        let response = refusal(&given).into_http::<()>();
        let header_bytes: usize = response.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        assert!(header_bytes < 32 * 1024, "{header_bytes} bytes");
        assert_eq!(discriminant(&error(&sent(&refusal(&given)))), discriminant(&given));
    }
}

#[test]
fn it_is_not_tried_again_sooner_than_was_said() {
    let given = Error::Unavailable { what: "storage", retry_after: Duration::from_micros(1), source: cause() };
    assert_eq!(retry_after(&error(&sent(&refusal(&given)))), Some(Duration::from_millis(1)));
    let given = Error::Unavailable { what: "storage", retry_after: Duration::MAX, source: cause() };
    assert!(retry_after(&error(&sent(&refusal(&given)))) > Some(Duration::from_secs(1_000_000)));
}

/// A status whose details hold `value` as the typed error.
fn with_error(code: Code, value: Vec<u8>) -> Status {
    let any = Any { type_url: ERROR_TYPE.to_owned(), value };
    let details = v1::Details { code: code.into(), message: String::new(), details: vec![any] };
    Status::with_details(code, "of a later release", details.encode_to_vec().into())
}

#[test]
fn what_a_later_release_says_is_told_as_its_sender_marked_it() {
    let marked = v1::Error { kind: None, retry_after_milliseconds: Some(2000) }.encode_to_vec();
    assert_eq!(retry_after(&error(&with_error(Code::Internal, marked))), Some(Duration::from_secs(2)));
    // A field that this release does not have, as a later one would send it.
    let unknown = vec![0xfa, 0x01, 0x00];
    assert_eq!(retry_after(&error(&with_error(Code::Unavailable, unknown.clone()))), Some(RETRY_AFTER));
    assert!(matches!(error(&with_error(Code::NotFound, unknown)), Error::Internal(_)));
}

#[test]
fn details_that_say_nothing_true_are_internal_errors() {
    let nonsense = v1::NameUnknown { repository: "../..".to_owned() };
    let invalid = v1::Error { kind: Some(v1::error::Kind::NameUnknown(nonsense)), retry_after_milliseconds: None };
    for value in [invalid.encode_to_vec(), vec![0xff; 10]] {
        assert!(matches!(error(&with_error(Code::NotFound, value)), Error::Internal(_)));
    }
    let garbage = Status::with_details(Code::NotFound, "", vec![0xff; 10].into());
    assert!(matches!(error(&garbage), Error::Internal(_)));
}

#[test]
fn a_status_without_details_is_never_told_as_not_found() {
    for code in (0..=16).map(Code::from_i32) {
        let told = error(&Status::new(code, "from elsewhere"));
        assert!(matches!(told, Error::Unavailable { .. } | Error::Internal(_)), "{code:?} is told as {told:?}");
        assert!(chain(&told).contains(&"from elsewhere".to_owned()));
    }
}

#[test]
fn what_the_connection_did_wrong_may_be_tried_again() {
    for code in [Code::Unknown, Code::Internal] {
        let mut status = Status::new(code, "transport error");
        status.set_source(std::sync::Arc::new(std::io::Error::other("connection reset")));
        let told = error(&status);
        assert_eq!(retry_after(&told), Some(RETRY_AFTER));
        assert_eq!(chain(&told), ["storage node is not available", "transport error", "connection reset"]);
    }
}

#[test]
fn a_request_that_makes_no_sense_is_an_internal_error() {
    let told = error(&sent(&Malformed::Missing { field: "context" }.into()));
    assert_eq!(chain(&told), ["internal error", "message has no context"]);
}

#[test]
fn a_node_that_says_why_did_answer() {
    let gone = Error::Unavailable { what: "storage", retry_after: RETRY_AFTER, source: cause() };
    let later = v1::Error { kind: None, retry_after_milliseconds: Some(1) }.encode_to_vec();
    let others = [gone, Error::Moved { view: 1 }, error(&with_error(Code::Unavailable, later)), error(&Status::new(Code::Unknown, "?"))];
    for told in others.iter().map(|given| error(&sent(&refusal(given)))) {
        assert!(!Unreachable::caused(&told), "{told:?}");
    }
    for code in [Code::Unavailable, Code::Cancelled, Code::DeadlineExceeded] {
        assert!(Unreachable::caused(&error(&Status::new(code, "the server stops"))));
    }
    assert!(Unreachable::caused(&overdue(Duration::from_secs(1))));
}
