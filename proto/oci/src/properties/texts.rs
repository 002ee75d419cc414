//! Names, tags, digests, references and media types against the regular expressions of their specifications.

use std::{fmt::Display, str::FromStr, sync::LazyLock};

use proptest::{prelude::*, string::string_regex};
use regex::Regex;

use crate::{Algorithm, Digest, MediaType, NAME_LENGTH_MAX, Reference, RepositoryName, Tag};

const NAME: &str = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*";
/// Names short enough to be accepted.
const SHORT_NAME: &str =
    r"[a-z0-9]{1,4}((\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}(/([a-z0-9]{1,4}((\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}|index\.json|oci-layout)){0,3}";
const TAG: &str = "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}";
const DIGEST: &str = "sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}";
const MEDIA_TYPE: &str = "[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}";

static NAME_MODEL: LazyLock<Regex> = LazyLock::new(|| model(NAME));
static TAG_MODEL: LazyLock<Regex> = LazyLock::new(|| model(TAG));
static DIGEST_MODEL: LazyLock<Regex> = LazyLock::new(|| model(DIGEST));
static MEDIA_TYPE_MODEL: LazyLock<Regex> = LazyLock::new(|| model(MEDIA_TYPE));

fn model(pattern: &str) -> Regex {
    Regex::new(&format!(r"\A(?:{pattern})\z")).unwrap()
}

/// Text that matches `pattern`, which is read once: as a strategy of its own it would be read for every case.
fn matching(pattern: &str) -> impl Strategy<Value = String> + use<> {
    string_regex(pattern).unwrap()
}

/// Text that matches `pattern`, then with a character replaced by, or put in from, those that matter to a parser.
fn nearly(pattern: &'static str) -> impl Strategy<Value = String> {
    let edit = (any::<prop::sample::Index>(), matching(r"[a-zA-Z0-9._/:+; \n\x00é-]?"), any::<bool>());
    (matching(pattern), edit).prop_map(|(text, (place, character, replace))| {
        let mut characters: Vec<String> = text.chars().map(String::from).collect();
        let place = place.index(characters.len() + 1);
        let removed = usize::from(replace && place < characters.len());
        characters.splice(place..place + removed, [character]);
        characters.concat()
    })
}

/// Anything, and what is close to the grammar.
fn text(pattern: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), matching(pattern), nearly(pattern)]
}

/// Parsed exactly when `expected`, and printed again as it was.
fn assert_parses<T: FromStr + Display>(text: &str, expected: bool) -> Result<(), TestCaseError> {
    let printed = text.parse::<T>().ok().map(|parsed| parsed.to_string());
    prop_assert_eq!(printed.as_deref(), expected.then_some(text));
    Ok(())
}

proptest! {
    #[test]
    fn a_name_is_what_the_specification_says_but_no_file_of_a_layout(text in text(SHORT_NAME)) {
        let reserved = text.split('/').any(|component| ["index.json", "oci-layout"].contains(&component));
        let expected = text.len() <= NAME_LENGTH_MAX && NAME_MODEL.is_match(&text) && !reserved;
        assert_parses::<RepositoryName>(&text, expected)?;
    }

    #[test]
    fn a_name_cannot_climb_out_of_a_directory(text in text(SHORT_NAME)) {
        if let Ok(name) = text.parse::<RepositoryName>() {
            prop_assert!(name.components().all(|component| !component.is_empty() && !component.starts_with(['.', '_'])));
            prop_assert_eq!(name.components().collect::<Vec<_>>().join("/"), text);
        }
    }

    #[test]
    fn a_long_name_is_refused(length in NAME_LENGTH_MAX - 2..NAME_LENGTH_MAX + 3) {
        assert_parses::<RepositoryName>(&"a".repeat(length), length <= NAME_LENGTH_MAX)?;
    }

    #[test]
    fn a_tag_is_what_the_specification_says(text in text(TAG)) {
        assert_parses::<Tag>(&text, TAG_MODEL.is_match(&text))?;
    }

    #[test]
    fn a_digest_is_what_the_specification_says(text in text(DIGEST)) {
        assert_parses::<Digest>(&text, DIGEST_MODEL.is_match(&text))?;
    }

    #[test]
    fn a_reference_is_a_tag_or_a_digest(text in prop_oneof![text(TAG), text(DIGEST)]) {
        let (tag, digest) = (TAG_MODEL.is_match(&text), DIGEST_MODEL.is_match(&text));
        assert_parses::<Reference>(&text, tag || digest)?;
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert_eq!(matches!(reference, Reference::Tag(_)), tag);
        }
    }

    #[test]
    fn a_media_type_is_what_rfc_6838_says(text in text(MEDIA_TYPE), parameters in matching("(; ?[a-z]+=[a-z0-9]+)?")) {
        let essence = text.split(';').next().unwrap().trim().to_owned();
        let parsed = format!("{text}{parameters}").parse::<MediaType>();
        let expected = MEDIA_TYPE_MODEL.is_match(&essence).then(|| essence.to_ascii_lowercase());
        prop_assert_eq!(parsed.ok().map(|parsed| parsed.to_string()), expected);
    }

    #[test]
    fn digests_sort_like_their_text(values in prop::collection::vec((0..3_usize, any::<[u8; 2]>()), 0..20)) {
        let digests = values.into_iter().map(|(algorithm, value)| Digest::of(Algorithm::ALL[algorithm], &value));
        let mut digests: Vec<Digest> = digests.collect();
        digests.sort_unstable();
        prop_assert!(digests.is_sorted_by_key(ToString::to_string));
    }

    #[test]
    fn a_refusal_is_short_and_printable(text in any::<String>()) {
        let long = text.repeat(100);
        let refusals = [
            long.parse::<RepositoryName>().map_err(|error| error.to_string()).err(),
            long.parse::<Reference>().map_err(|error| error.to_string()).err(),
            long.parse::<MediaType>().map_err(|error| error.to_string()).err(),
        ];
        for refusal in refusals.into_iter().flatten() {
            prop_assert!(refusal.len() < 4096 && !refusal.chars().any(char::is_control), "{refusal}");
        }
    }
}
