//! Tokens as their issuers make them, and as those do who would like to be one.

mod corpus;
mod keys;
mod registry_tokens;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto::sign};
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData as _,
    SignatureAlgorithm,
};
use serde_json::{Value, json};

use super::claims::now;

/// Who issues tokens.
pub(super) struct Issuer {
    key: KeyPair,
    kind: &'static str,
}

/// The kinds of keys, and the algorithms of each.
pub(super) const KINDS: [(&str, &[&str]); 5] = [
    ("RSA", &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]),
    ("P-256", &["ES256"]),
    ("P-384", &["ES384"]),
    ("P-521", &["ES512"]),
    ("Ed25519", &["EdDSA"]),
];

impl Issuer {
    pub(super) fn of(kind: &'static str) -> Self {
        let algorithm: &'static SignatureAlgorithm = match kind {
            "RSA" => &PKCS_RSA_SHA256,
            "P-256" => &PKCS_ECDSA_P256_SHA256,
            "P-384" => &PKCS_ECDSA_P384_SHA384,
            "P-521" => &PKCS_ECDSA_P521_SHA512,
            _ => &PKCS_ED25519,
        };
        Self { key: KeyPair::generate_for(algorithm).unwrap(), kind }
    }

    pub(super) fn elliptic() -> Self {
        Self::of("P-256")
    }

    /// Its public key in PEM.
    pub(super) fn pem(&self) -> String {
        self.key.public_key_pem()
    }

    /// Its certificate, signed by itself.
    pub(super) fn certificate(&self) -> String {
        rcgen::CertificateParams::new(vec!["issuer".to_owned()]).unwrap().self_signed(&self.key).unwrap().pem()
    }

    /// The bytes of its public key, as a certificate has them.
    pub(super) fn raw(&self) -> &[u8] {
        self.key.der_bytes()
    }

    /// Its public key as a JSON web key.
    pub(super) fn jwk(&self, id: &str) -> Value {
        let point = self.raw();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self.kind {
            "RSA" => {
                use x509_parser::prelude::FromDer as _;
                let (_, key) = x509_parser::public_key::RSAPublicKey::from_der(point).unwrap();
                json!({"kty": "RSA", "kid": id, "n": part(&key.modulus[1..]), "e": part(key.exponent)})
            }
            "Ed25519" => json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": part(point)}),
            curve => {
                let (x, y) = point[1..].split_at((point.len() - 1) / 2);
                json!({"kty": "EC", "crv": curve, "kid": id, "x": part(x), "y": part(y)})
            }
        }
    }

    /// A token of that header and those claims, signed by the algorithm of the header if it is one.
    pub(super) fn token(&self, header: &Value, claims: &Value) -> String {
        self.sign(header, &claims.to_string())
    }

    pub(super) fn sign(&self, header: &Value, claims: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.signature(&signed, header["alg"].as_str().unwrap_or("ES256"));
        format!("{signed}.{signature}")
    }

    fn signature(&self, signed: &str, algorithm: &str) -> String {
        if algorithm == "ES512" {
            let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P521_SHA512_FIXED_SIGNING, &self.key.serialize_der()).unwrap();
            return URL_SAFE_NO_PAD.encode(key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap());
        }
        let pem = self.key.serialize_pem();
        let key = match self.kind {
            "RSA" => EncodingKey::from_rsa_pem(pem.as_bytes()),
            "Ed25519" => EncodingKey::from_ed_pem(pem.as_bytes()),
            _ => EncodingKey::from_ec_pem(pem.as_bytes()),
        };
        sign(signed.as_bytes(), &key.unwrap(), algorithm.parse::<Algorithm>().unwrap()).unwrap()
    }
}

/// Claims of a token of the registry token protocol that is good now.
pub(super) fn claims() -> Value {
    json!({
        "iss": "https://auth.example.com",
        "sub": "alice",
        "aud": "zot",
        "exp": now() + 300.0,
        "nbf": now() - 10.0,
        "iat": now(),
        "access": [{"type": "repository", "name": "team/app", "actions": ["pull"]}],
    })
}

/// `value` with one member more, or another.
pub(super) fn with(value: &Value, name: &str, member: Value) -> Value {
    let mut value = value.clone();
    value[name] = member;
    value
}

/// `value` with one member fewer.
pub(super) fn without(value: &Value, name: &str) -> Value {
    let mut value = value.clone();
    value.as_object_mut().unwrap().remove(name);
    value
}
