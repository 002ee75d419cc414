//! Keys come back as they went in, and sort as what they name.

use std::ops::RangeBounds;

use proptest::prelude::*;

use super::*;

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

fn every_kind() -> Vec<Key> {
    let (a, b) = (Digest::sha256(b"a"), Digest::of(Algorithm::Sha512, b"b"));
    vec![
        Key::Schema,
        Key::Repository(name("a/b")),
        Key::Tag(name("a/b"), "v1".parse().unwrap()),
        Key::Manifest(name("a"), a),
        Key::Referrer(name("a"), a, b),
        Key::Reference(name("a"), b, a),
        Key::Link(name("a"), b),
        Key::Blob(a),
        Key::Unprojected(name("a"), a),
        Key::User("cn=ä b#c".parse().unwrap()),
        Key::Condemned("_uploaded/1/2".to_owned()),
        Key::Operation(OperationId::new()),
    ]
}

#[test]
fn every_key_comes_back() {
    for key in every_kind() {
        assert_eq!(Key::decode(&key.encode()).unwrap(), key);
    }
}

#[test]
fn a_name_is_shared_with_keys_of_the_same_repository_only() {
    let keys = ["a/b", "a/b", "a", "a/b", "a/bc"].map(|repository| Key::Tag(name(repository), "v1".parse().unwrap()));
    let mut decoder = Keys::default();
    assert_eq!(keys.each_ref().map(|key| decoder.decode(&key.encode()).unwrap()), keys);
}

#[test]
fn damaged_keys_are_errors() {
    for bytes in [&b""[..], b"\xff", b"\x02a", b"\x03a\0\0short", b"\x07\x09", b"\x0bshort"] {
        assert!(Key::decode(bytes).is_err());
    }
}

fn names() -> impl Strategy<Value = RepositoryName> {
    "[a-c0]{1,2}([._/-][a-c0]{1,2}){0,3}".prop_map(|text| text.parse().unwrap())
}

fn tags() -> impl Strategy<Value = Tag> {
    "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,5}".prop_map(|text| text.parse().unwrap())
}

fn digests() -> impl Strategy<Value = Digest> {
    // The ends of the range of values are where a scan could go wrong.
    (0..3usize, prop_oneof![Just(0u8), Just(255), any::<u8>()], any::<u8>()).prop_map(|(algorithm, fill, last)| {
        let algorithm = Algorithm::ALL[algorithm];
        let mut value = vec![fill; algorithm.size()];
        *value.last_mut().unwrap() = last;
        Digest::from_value(algorithm, &value).unwrap()
    })
}

proptest! {
    #[test]
    fn the_order_of_keys_is_the_order_of_names(one in names(), other in names(), tag in tags(), other_tag in tags()) {
        let repository = |name: &RepositoryName| Key::Repository(name.clone()).encode();
        prop_assert_eq!(repository(&one).cmp(&repository(&other)), one.cmp(&other));
        let key = |tag: &Tag| Key::Tag(one.clone(), tag.clone()).encode();
        prop_assert_eq!(key(&tag).cmp(&key(&other_tag)), tag.cmp(&other_tag));
    }

    #[test]
    fn a_scan_holds_the_rows_of_its_repository_only(one in names(), other in names(), tag in tags(), digest in digests()) {
        let tags = Scan::Tags(one.clone(), None).range();
        prop_assert_eq!(tags.contains(&Key::Tag(other.clone(), tag).encode()), one == other);
        let links = Scan::Links(one.clone(), None).range();
        prop_assert_eq!(links.contains(&Key::Link(other.clone(), digest).encode()), one == other);
        let marks = Scan::UnprojectedOf(one.clone()).range();
        prop_assert_eq!(marks.contains(&Key::Unprojected(other.clone(), digest).encode()), one == other);
    }

    #[test]
    fn a_scan_of_one_digest_holds_its_rows_only(one in digests(), other in digests(), last in digests()) {
        let range = Scan::Referrers(name("a"), one, None).range();
        prop_assert_eq!(range.contains(&Key::Referrer(name("a"), other, last).encode()), one == other);
    }

    #[test]
    fn a_scan_goes_on_after_what_it_is_told(after in digests(), next in digests()) {
        let range = Scan::Manifests(name("a"), Some(after)).range();
        let (after, next) = (Key::Manifest(name("a"), after).encode(), Key::Manifest(name("a"), next).encode());
        prop_assert_eq!(range.contains(&next), next > after);
    }

    #[test]
    fn arbitrary_bytes_are_a_key_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        if let Ok(key) = Key::decode(&bytes) {
            prop_assert_eq!(key.encode(), bytes);
        }
    }
}
