//! Tokens of those who would like to be the issuer, and have only what everybody has: its public key, and tokens of others.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto::sign};
use serde_json::{Value, json};

use super::{Issuer, KINDS, claims, registry_tokens::Registry};

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

async fn refused(registry: &Registry, token: &str, what: &str) {
    assert!(registry.proof_of(token).await.is_none(), "{what}: {token}");
}

#[tokio::test]
async fn what_nobody_has_signed_is_refused() {
    let registry = Registry::of(Issuer::elliptic());
    for algorithm in ["none", "None", "NONE", "nOnE", "", "ES256", "null"] {
        let signed = format!("{}.{}", encoded(&json!({"alg": algorithm, "typ": "JWT"})), encoded(&claims()));
        for signature in ["", "AA", &"A".repeat(86)] {
            refused(&registry, &format!("{signed}.{signature}"), "no signature, or one of zeros").await;
        }
        refused(&registry, &signed, "two parts").await;
    }
    for header in [json!({}), json!({"alg": null}), json!({"alg": ["ES256"]}), json!("ES256"), json!([])] {
        let token = registry.issuer.token(&header, &claims());
        refused(&registry, &token, "no algorithm").await;
    }
}

#[tokio::test]
async fn a_public_key_is_no_shared_secret() {
    for (kind, _) in KINDS {
        let registry = Registry::of(Issuer::of(kind));
        let issuer = &registry.issuer;
        let pem = issuer.pem();
        let secrets = [pem.as_bytes(), pem.trim().as_bytes(), issuer.raw(), &[], &[0]];
        for (name, algorithm) in [("HS256", Algorithm::HS256), ("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)] {
            for secret in secrets {
                let signed = format!("{}.{}", encoded(&json!({"alg": name, "typ": "JWT"})), encoded(&claims()));
                let signature = sign(signed.as_bytes(), &EncodingKey::from_secret(secret), algorithm).unwrap();
                refused(&registry, &format!("{signed}.{signature}"), "signed with the public key").await;
            }
        }
    }
}

#[tokio::test]
async fn an_algorithm_is_none_of_another_key() {
    let registry = Registry::of(Issuer::of("RSA"));
    for (kind, algorithms) in KINDS.into_iter().filter(|(kind, _)| *kind != "RSA") {
        for algorithm in algorithms {
            let token = Issuer::of(kind).token(&json!({"alg": algorithm}), &claims());
            refused(&registry, &token, "another kind of key").await;
        }
    }
    let token = registry.issuer.token(&json!({"alg": "RS256"}), &claims());
    let (_, rest) = token.split_once('.').unwrap();
    for algorithm in ["RS384", "PS256", "ES256", "EdDSA", "RS256 ", "rs256"] {
        refused(&registry, &format!("{}.{rest}", encoded(&json!({"alg": algorithm}))), "another header").await;
    }
}

#[tokio::test]
async fn a_token_does_not_bring_its_own_key() {
    let registry = Registry::of(Issuer::elliptic());
    let stranger = Issuer::elliptic();
    let certificate: String = stranger.certificate().lines().filter(|line| !line.starts_with("---")).collect();
    for (name, value) in [
        ("jwk", stranger.jwk("mine")),
        ("jku", json!("https://evil.example.com/keys")),
        ("x5u", json!("https://evil.example.com/cert")),
        ("x5c", json!([certificate])),
        ("x5t", json!("AAAA")),
    ] {
        let mut header = json!({"alg": "ES256", "kid": "mine"});
        header[name] = value;
        refused(&registry, &stranger.token(&header, &claims()), name).await;
        assert!(registry.proof_of(&registry.issuer.token(&header, &claims())).await.is_some(), "{name} is not looked at");
    }
}

#[tokio::test]
async fn the_name_of_a_key_is_only_compared() {
    let registry = Registry::of(Issuer::elliptic());
    let stranger = Issuer::elliptic();
    let file = registry.file.path().display().to_string();
    for id in ["../../../../dev/null", "/dev/null", "' OR 1=1 --", "key;sleep 5", "https://evil.example.com/key", &file, "\0", ""] {
        refused(&registry, &stranger.token(&json!({"alg": "ES256", "kid": id}), &claims()), "kid").await;
    }
    for id in [json!(["a"]), json!({"a": 1}), json!(1)] {
        refused(&registry, &registry.issuer.token(&json!({"alg": "ES256", "kid": id}), &claims()), "no name").await;
    }
}

#[tokio::test]
async fn what_is_critical_and_unknown_is_refused() {
    let registry = Registry::of(Issuer::elliptic());
    for critical in [json!(["b64"]), json!([]), json!(null), json!("exp")] {
        let header = json!({"alg": "ES256", "crit": critical, "b64": false});
        refused(&registry, &registry.issuer.token(&header, &claims()), "crit").await;
    }
}

#[tokio::test]
async fn part_of_a_token_is_none() {
    let registry = Registry::of(Issuer::elliptic());
    let token = registry.issuer.token(&json!({"alg": "ES256"}), &claims());
    assert!(registry.proof_of(&token).await.is_some());
    for end in 0..token.len() {
        refused(&registry, &token[..end], "truncated").await;
        refused(&registry, &token[end + 1..], "without its beginning").await;
    }
    for changed in
        [format!("{token}="), format!("{token}."), format!("{token}A"), format!(".{token}"), format!("{token}\n"), token.repeat(2)]
    {
        refused(&registry, &changed, "more than a token").await;
    }
    let (signed, _) = token.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let other = registry.issuer.token(&json!({"alg": "ES256"}), &super::with(&claims(), "sub", json!("bob")));
    refused(&registry, &format!("{header}.{}", other.split_once('.').unwrap().1.replace('.', "")), "parts of two").await;
    refused(&registry, &format!("{signed}.{}", other.rsplit_once('.').unwrap().1), "the signature of another").await;
}

#[tokio::test]
async fn a_claim_that_is_there_twice_is_refused() {
    let registry = Registry::of(Issuer::elliptic());
    let good = claims().to_string();
    let head = json!({"alg": "ES256"});
    assert!(registry.proof_of(&registry.issuer.sign(&head, &good)).await.is_some());
    for more in [r#""aud":"zot""#, r#""sub":"root""#, r#""access":[]"#, r#""exp":9999999999"#] {
        let twice = format!("{},{more}}}", good.trim_end_matches('}'));
        refused(&registry, &registry.issuer.sign(&head, &twice), more).await;
    }
    for odd in ["", "null", "[]", "\"zot\"", "{", "{}"] {
        refused(&registry, &registry.issuer.sign(&head, odd), odd).await;
    }
}

#[tokio::test]
async fn a_token_of_a_hundred_kilobytes_is_refused() {
    let registry = Registry::of(Issuer::elliptic());
    let head = json!({"alg": "ES256"});
    let padded = |bytes: usize| super::with(&claims(), "padding", json!("x".repeat(bytes)));
    assert!(registry.proof_of(&registry.issuer.token(&head, &padded(10_000))).await.is_some());
    refused(&registry, &registry.issuer.token(&head, &padded(75_000)), "large").await;
    refused(&registry, &"x".repeat(100_000), "large").await;
    refused(&registry, &".".repeat(30_000), "dots").await;
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    refused(&registry, &registry.issuer.sign(&head, &format!(r#"{{"aud":{deep}}}"#)), "deep").await;
}
