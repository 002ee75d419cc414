//! Rows are found again, and lie in the order of their keys.

use std::{collections::BTreeSet, ops::RangeBounds};

use proptest::prelude::*;
use zot_contract::OperationId;
use zot_oci::{Algorithm, Tag};

use super::*;

fn names() -> impl Strategy<Value = RepositoryName> {
    "[a-c0]{1,2}([._/-][a-c0]{1,2}){0,3}".prop_map(|text| text.parse().unwrap())
}

fn tags() -> impl Strategy<Value = Tag> {
    "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,5}".prop_map(|text| text.parse().unwrap())
}

fn digests() -> impl Strategy<Value = Digest> {
    (0..3usize, prop_oneof![Just(0u8), Just(255), any::<u8>()], 0..4u8).prop_map(|(algorithm, fill, last)| {
        let algorithm = Algorithm::ALL[algorithm];
        let mut value = vec![fill; algorithm.size()];
        *value.last_mut().unwrap() = last;
        Digest::from_value(algorithm, &value).unwrap()
    })
}

fn users() -> impl Strategy<Value = String> {
    "[a-c#/=@ä]{1,5}"
}

fn places() -> impl Strategy<Value = String> {
    "_uploaded/[0-9a-f]{1,4}/[0-9a-f]{1,4}"
}

fn operations() -> impl Strategy<Value = OperationId> {
    any::<[u8; 16]>().prop_map(|bytes| OperationId::from_bytes(&bytes).unwrap())
}

fn keys() -> impl Strategy<Value = Key> {
    prop_oneof![
        Just(Key::Schema),
        names().prop_map(Key::Repository),
        (names(), tags()).prop_map(|(name, tag)| Key::Tag(name, tag)),
        (names(), digests()).prop_map(|(name, digest)| Key::Manifest(name, digest)),
        (names(), digests(), digests()).prop_map(|(name, subject, digest)| Key::Referrer(name, subject, digest)),
        (names(), digests(), digests()).prop_map(|(name, target, digest)| Key::Reference(name, target, digest)),
        (names(), digests()).prop_map(|(name, digest)| Key::Link(name, digest)),
        digests().prop_map(Key::Blob),
        (names(), digests()).prop_map(|(name, digest)| Key::Unprojected(name, digest)),
        users().prop_map(|text| Key::User(text.parse().unwrap())),
        places().prop_map(Key::Condemned),
        operations().prop_map(Key::Operation),
    ]
}

fn scans() -> impl Strategy<Value = Scan> {
    let after = || proptest::option::of(digests());
    prop_oneof![
        proptest::option::of("[a-c0./_-]{0,5}|\\PC{0,3}").prop_map(Scan::Repositories),
        (names(), proptest::option::of("[a-cA-C0._-]{0,4}|\\PC{0,3}")).prop_map(|(name, after)| Scan::Tags(name, after)),
        (names(), after()).prop_map(|(name, after)| Scan::Manifests(name, after)),
        (names(), digests(), after()).prop_map(|(name, subject, after)| Scan::Referrers(name, subject, after)),
        (names(), digests()).prop_map(|(name, target)| Scan::References(name, target)),
        (names(), after()).prop_map(|(name, after)| Scan::Links(name, after)),
        proptest::option::of((names(), digests())).prop_map(Scan::Unprojected),
        names().prop_map(Scan::UnprojectedOf),
        proptest::option::of(users()).prop_map(Scan::Users),
        proptest::option::of(places()).prop_map(Scan::Condemned),
        proptest::option::of(operations()).prop_map(Scan::Operations),
    ]
}

/// A key that the scan may or may not hold, of the kind it is about.
fn key_near(scan: &Scan, name: RepositoryName, tag: Tag, digest: Digest) -> Key {
    match scan {
        Scan::Repositories(_) => Key::Repository(name),
        Scan::Tags(of, _) => Key::Tag(of.clone(), tag),
        Scan::Manifests(of, _) => Key::Manifest(of.clone(), digest),
        Scan::Referrers(of, subject, _) => Key::Referrer(of.clone(), *subject, digest),
        Scan::References(of, target) => Key::Reference(of.clone(), *target, digest),
        Scan::Links(of, _) => Key::Link(of.clone(), digest),
        Scan::Unprojected(_) => Key::Unprojected(name, digest),
        Scan::UnprojectedOf(of) => Key::Unprojected(of.clone(), digest),
        Scan::Users(_) => Key::User(tag.as_str().parse().unwrap()),
        Scan::Condemned(_) => Key::Condemned(format!("_uploaded/{name}")),
        Scan::Operations(_) => Key::Operation(OperationId::new()),
    }
}

fn holds(range: &Range, place: &Place) -> bool {
    let is_after = range.after.as_ref().is_none_or(|after| place.sort > *after);
    let is_before = range.before.as_ref().is_none_or(|before| place.sort < *before);
    range.table == place.table && range.partitions.contains(&place.partition) && is_after && is_before
}

proptest! {
    #[test]
    fn every_place_tells_its_key(key in keys()) {
        let place = Place::of(&key);
        prop_assert_eq!(super::key(&place.partition, &place.sort), Some(key));
    }

    #[test]
    fn a_partition_tells_the_kind_of_its_rows(key in keys()) {
        for kind in Kind::ALL {
            prop_assert_eq!(is_of(kind, &Place::of(&key).partition), kind.has(&key));
        }
    }

    #[test]
    fn no_two_rows_have_one_place_even_in_one_table(one in keys(), other in keys()) {
        let (a, b) = (Place::of(&one), Place::of(&other));
        prop_assert_eq!((a.partition, a.sort) == (b.partition, b.sort), one == other);
    }

    #[test]
    fn a_scan_holds_the_rows_that_its_keys_say(scan in scans(), key in keys(), name in names(), tag in tags(), digest in digests()) {
        let near = key_near(&scan, name, tag, digest);
        for key in [key, near] {
            prop_assert_eq!(holds(&Range::of(&scan), &Place::of(&key)), scan.range().contains(&key.encode()), "{:?}", key);
        }
    }

    #[test]
    fn rows_of_a_scan_lie_in_the_order_of_their_keys(
        scan in scans(), one in (names(), tags(), digests()), other in (names(), tags(), digests()),
    ) {
        let key = |(name, tag, digest)| key_near(&scan, name, tag, digest);
        let (one, other) = (key(one), key(other));
        prop_assert_eq!(Place::of(&one).sort.cmp(&Place::of(&other).sort), one.encode().cmp(&other.encode()));
    }

    #[test]
    fn what_is_cut_off_a_long_text_decides_nothing(start in "[a-c]{0,3}", middle in "\\PC", name in names()) {
        let after = format!("{start}{}", middle.repeat(AFTER_BYTES_MAX));
        let cut = text(Some(&after)).unwrap();
        prop_assert!(cut.len() <= AFTER_BYTES_MAX);
        prop_assert_eq!(name.as_str() > cut.as_str(), name.as_str() > after.as_str());
    }
}

#[test]
fn marks_are_spread_and_stay_where_they_are() {
    let name = |text: &str| text.parse::<RepositoryName>().unwrap();
    assert_eq!([mark_partition(&name("app")), mark_partition(&name("library/nginx"))], [1, 5]);
    let spread: BTreeSet<u8> = (0..100).map(|number| mark_partition(&name(&format!("app{number}")))).collect();
    assert_eq!(spread.len(), usize::from(MARK_PARTITIONS));
}

#[test]
fn partitions_can_be_read_by_people() {
    let name = || "app/web".parse().unwrap();
    let place = Place::of(&Key::Tag(name(), "v1".parse().unwrap()));
    assert_eq!((place.partition.as_str(), place.sort.as_str()), ("tags#app/web", "v1"));
    let digest = Digest::sha256(b"a");
    let place = Place::of(&Key::Referrer(name(), digest, digest));
    assert_eq!((place.partition, place.sort), (format!("referrers#app/web#{digest}"), digest.to_string()));
}
