//! Which keys are taken, and which algorithms each of them is good for.

use serde_json::json;

use super::{
    super::{
        jwt::Jwt,
        key::{InvalidKey, KeySet},
    },
    Issuer, KINDS, claims,
};

fn verifies(keys: &KeySet, token: &str) -> bool {
    Jwt::parse(token).unwrap().verify(keys).is_ok()
}

#[test]
fn each_key_verifies_its_own_algorithms_in_each_form() {
    for (kind, algorithms) in KINDS {
        let [issuer, stranger] = [(); 2].map(|()| Issuer::of(kind));
        let set = json!({"keys": [issuer.jwk("one")]}).to_string();
        for text in [issuer.pem(), issuer.certificate(), set] {
            let keys = KeySet::parse(text.as_bytes()).unwrap();
            for algorithm in algorithms {
                let token = issuer.token(&json!({"alg": algorithm, "kid": "one"}), &claims());
                assert!(verifies(&keys, &token), "{kind} {algorithm} {text}");
                let other = stranger.token(&json!({"alg": algorithm, "kid": "one"}), &claims());
                assert!(!verifies(&keys, &other), "{kind} {algorithm}");
            }
        }
    }
}

#[test]
fn a_key_may_say_that_it_is_for_one_algorithm_or_for_something_else() {
    let issuer = Issuer::of("RSA");
    let key = |name: &str, value: &str| {
        let mut key = issuer.jwk("one");
        key[name] = json!(value);
        KeySet::parse(json!({"keys": [key]}).to_string().as_bytes())
    };
    let keys = key("alg", "RS256").unwrap();
    assert!(verifies(&keys, &issuer.token(&json!({"alg": "RS256"}), &claims())));
    assert!(!verifies(&keys, &issuer.token(&json!({"alg": "PS256"}), &claims())));
    assert_eq!(key("alg", "RSA-OAEP").unwrap_err(), InvalidKey::Empty);
    assert_eq!(key("use", "enc").unwrap_err(), InvalidKey::Empty);
    assert!(key("use", "sig").is_ok());
}

#[test]
fn of_several_keys_the_one_is_asked_that_the_token_names() {
    let [one, two, stranger] = [(); 3].map(|()| Issuer::elliptic());
    let keys = KeySet::parse(json!({"keys": [one.jwk("1"), two.jwk("2")]}).to_string().as_bytes()).unwrap();
    let token = |issuer: &Issuer, id: &str| issuer.token(&json!({"alg": "ES256", "kid": id}), &claims());
    assert!(verifies(&keys, &token(&one, "1")) && verifies(&keys, &token(&two, "2")));
    assert!(!verifies(&keys, &token(&one, "2")), "named wrongly");
    assert!(!verifies(&keys, &token(&one, "3")), "not known");
    assert!(!verifies(&keys, &token(&stranger, "1")));
    assert!(verifies(&keys, &two.token(&json!({"alg": "ES256"}), &claims())), "not named: any may be it");
}

#[test]
fn the_only_key_is_asked_whatever_a_token_calls_it() {
    let issuer = Issuer::elliptic();
    let keys = KeySet::parse(issuer.certificate().as_bytes()).unwrap();
    assert!(verifies(&keys, &issuer.token(&json!({"alg": "ES256", "kid": "PYYO:TEWU:V7JH"}), &claims())));
}

#[test]
fn what_is_no_public_key_is_refused() {
    let issuer = Issuer::elliptic();
    let parse = |text: &str| KeySet::parse(text.as_bytes()).unwrap_err();
    assert_eq!(parse(""), InvalidKey::Unknown);
    assert_eq!(parse("secret"), InvalidKey::Unknown);
    assert_eq!(parse(&issuer.key.serialize_pem()), InvalidKey::Private);
    assert_eq!(parse("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), InvalidKey::Malformed("public key"));
    assert_eq!(parse(r#"{"keys":[]}"#), InvalidKey::Empty);
    assert_eq!(parse(r#"{"keys":[{"kty":"oct","k":"c2VjcmV0","alg":"HS256"}]}"#), InvalidKey::Empty, "a shared secret");
    let many: Vec<_> = (0..101).map(|id| issuer.jwk(&id.to_string())).collect();
    assert_eq!(parse(&json!({"keys": many}).to_string()), InvalidKey::TooMany);
}

#[test]
fn an_rsa_key_that_can_be_broken_is_refused() {
    // 1024 bits, made for this test.
    let pem = "-----BEGIN PUBLIC KEY-----\n\
        MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDrVZRv8YTiB9HK16n3iXTp6jrF\n\
        EhPA/bxl9sc+eoT/dTFWv6+IRiwnaWg7JUzRGUTGUijqWomubZTB6nAtMMyS+sEV\n\
        rDRPNrqz5egDDPBEtg09kBbRNb+3qUpFq5nqiTn3ngvFXeVdg9RTyxNoFndQUptp\n\
        WJA2eGTKtAtjfCnJawIDAQAB\n\
        -----END PUBLIC KEY-----\n";
    assert_eq!(KeySet::parse(pem.as_bytes()).unwrap_err(), InvalidKey::Small(1024));
}

#[test]
fn a_secret_names_its_keys_or_holds_what_a_file_may_hold() {
    let [one, other] = [(); 2].map(|()| Issuer::of("P-256"));
    let parse = |text: &str| KeySet::parse_named(text.as_bytes());
    let named = parse(&json!({"one": one.pem(), "other": json!({"keys": [other.jwk("its own name")]}).to_string()}).to_string()).unwrap();
    let token = |issuer: &Issuer, name: &str| issuer.token(&json!({"alg": "ES256", "kid": name}), &claims());
    assert!(verifies(&named, &token(&one, "one")) && verifies(&named, &token(&other, "other")));
    assert!(!verifies(&named, &token(&one, "other")) && !verifies(&named, &token(&other, "its own name")), "the secret names them");
    for text in [one.pem(), json!({"keys": [one.jwk("one")]}).to_string()] {
        assert!(verifies(&parse(&text).unwrap(), &token(&one, "one")), "{text}");
    }
    let two = json!({"keys": [one.jwk("a"), other.jwk("b")]}).to_string();
    assert_eq!(parse(&json!({"one": two}).to_string()).unwrap_err(), InvalidKey::Several);
    assert_eq!(parse("{}").unwrap_err(), InvalidKey::Empty);
    for nothing in [&json!({"one": "no key"}).to_string(), "", "no key", "[]"] {
        assert_eq!(parse(nothing).unwrap_err(), InvalidKey::Unknown, "{nothing}");
    }
}
