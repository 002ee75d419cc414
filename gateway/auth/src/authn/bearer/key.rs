//! The public keys of those who issue tokens: PEM, or a set in JSON (RFC 7517). Never a shared secret.

use std::{collections::BTreeMap, fmt};

use aws_lc_rs::signature::{self as algorithms, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use x509_parser::{
    pem::Pem,
    prelude::{FromDer as _, X509Certificate},
    public_key::PublicKey,
    x509::SubjectPublicKeyInfo,
};

use super::{KEYS_BYTES_MAX, KEYS_MAX};

/// Smaller RSA keys have been broken, or will be soon.
const RSA_BITS_MIN: usize = 2048;

/// Algorithms of RSA keys (RFC 7518 section 3.1).
const RSA: [(&str, &RsaParameters); 6] = [
    ("RS256", &algorithms::RSA_PKCS1_2048_8192_SHA256),
    ("RS384", &algorithms::RSA_PKCS1_2048_8192_SHA384),
    ("RS512", &algorithms::RSA_PKCS1_2048_8192_SHA512),
    ("PS256", &algorithms::RSA_PSS_2048_8192_SHA256),
    ("PS384", &algorithms::RSA_PSS_2048_8192_SHA384),
    ("PS512", &algorithms::RSA_PSS_2048_8192_SHA512),
];

/// Other keys: the identifier of their type or curve in a certificate, its name in JSON, and the one algorithm of each.
const CURVES: [(&str, &str, &str, &dyn VerificationAlgorithm); 4] = [
    ("1.2.840.10045.3.1.7", "P-256", "ES256", &algorithms::ECDSA_P256_SHA256_FIXED),
    ("1.3.132.0.34", "P-384", "ES384", &algorithms::ECDSA_P384_SHA384_FIXED),
    ("1.3.132.0.35", "P-521", "ES512", &algorithms::ECDSA_P521_SHA512_FIXED),
    (ED25519, "Ed25519", "EdDSA", &algorithms::ED25519),
];

const ED25519: &str = "1.3.101.112";
const ELLIPTIC: &str = "1.2.840.10045.2.1";

/// A public key, with each algorithm that it is good for.
pub(super) struct Key {
    id: Option<String>,
    checks: Vec<(&'static str, ParsedPublicKey)>,
}

/// The keys of one issuer.
#[derive(Debug, Default)]
pub(super) struct KeySet(Vec<Key>);

/// Something cannot be used as keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// It is neither PEM nor a set in JSON.
    #[error("neither a certificate or public key in PEM nor a JSON web key set")]
    Unknown,
    /// It is a private key, which has no business here.
    #[error("a private key: give its public key or certificate")]
    Private,
    /// A certificate or a public key breaks its grammar.
    #[error("the {0} is malformed")]
    Malformed(&'static str),
    /// A key of a type that signs no tokens.
    #[error("the key is neither RSA, nor on one of the curves P-256, P-384, P-521 and Ed25519")]
    Type,
    /// An RSA key that can be broken.
    #[error("the RSA key has {0} bits, fewer than {RSA_BITS_MIN}")]
    Small(usize),
    /// Nothing in a set is of use.
    #[error("the set has no public key that signs tokens")]
    Empty,
    /// More bytes than keys have.
    #[error("there are more than {KEYS_BYTES_MAX} bytes")]
    TooLarge,
    /// Several keys under one name.
    #[error("a name of the secret stands for more than one key")]
    Several,
    /// More keys than a set has.
    #[error("the set has more than {KEYS_MAX} keys")]
    TooMany,
}

impl KeySet {
    /// Reads a certificate, a public key or a set. A set may have keys for other purposes, which are left out.
    pub(super) fn parse(text: &[u8]) -> Result<Self, InvalidKey> {
        if text.trim_ascii_start().first() == Some(&b'{') { Self::parse_json(text) } else { Self::parse_pem(text) }
    }

    /// The first of a file counts, as with zot: what follows may be the chain of a certificate, whose authorities issue no tokens.
    fn parse_pem(text: &[u8]) -> Result<Self, InvalidKey> {
        for block in Pem::iter_from_buffer(text) {
            let block = block.map_err(|_| InvalidKey::Unknown)?;
            let key = match block.label.as_str() {
                "CERTIFICATE" => {
                    let (_, certificate) = X509Certificate::from_der(&block.contents).map_err(|_| InvalidKey::Malformed("certificate"))?;
                    Key::of_spki(certificate.public_key())?
                }
                "PUBLIC KEY" => {
                    let spki = SubjectPublicKeyInfo::from_der(&block.contents).map_err(|_| InvalidKey::Malformed("public key"))?;
                    Key::of_spki(&spki.1)?
                }
                "RSA PUBLIC KEY" => Key::rsa_der(&block.contents)?,
                label if label.ends_with("PRIVATE KEY") => return Err(InvalidKey::Private),
                _ => continue,
            };
            return Ok(Self(vec![key]));
        }
        Err(InvalidKey::Unknown)
    }

    fn parse_json(text: &[u8]) -> Result<Self, InvalidKey> {
        let set: JwkSet = serde_json::from_slice(text).map_err(|_| InvalidKey::Unknown)?;
        if set.keys.len() > KEYS_MAX {
            return Err(InvalidKey::TooMany);
        }
        let keys: Vec<Key> = set.keys.iter().filter_map(|value| Jwk::deserialize(value).ok()?.key()).collect();
        if keys.is_empty() { Err(InvalidKey::Empty) } else { Ok(Self(keys)) }
    }

    /// Reads what a secret of AWS holds: an object of names and keys (PEM, or a set of one key in JSON), as zot's are; or what a file may hold.
    pub(super) fn parse_named(text: &[u8]) -> Result<Self, InvalidKey> {
        let Ok(named) = serde_json::from_slice::<BTreeMap<String, String>>(text) else { return Self::parse(text) };
        if named.len() > KEYS_MAX {
            return Err(InvalidKey::TooMany);
        }
        let keys = named.into_iter().map(|(name, text)| match &mut Self::parse(text.as_bytes())?.0[..] {
            [key] => Ok(Key { id: Some(name), checks: std::mem::take(&mut key.checks) }),
            _ => Err(InvalidKey::Several),
        });
        let keys: Vec<Key> = keys.collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(InvalidKey::Empty) } else { Ok(Self(keys)) }
    }

    /// Whether a key of that name is there.
    pub(super) fn knows(&self, id: &str) -> bool {
        self.0.iter().any(|key| key.id.as_deref() == Some(id))
    }

    /// The keys that may have signed a token that says it was signed with `id`. Keys without a name may have any, and so may the only one:
    /// those who issue tokens name keys that they hand out in PEM as well.
    pub(super) fn candidates(&self, id: Option<&str>) -> impl Iterator<Item = &Key> {
        let known = id.filter(|id| self.knows(id));
        let only = self.0.len() == 1;
        self.0.iter().filter(move |key| match known {
            Some(id) => key.id.as_deref() == Some(id),
            None => only || id.is_none() || key.id.is_none(),
        })
    }
}

impl Key {
    /// Whether `signature` is this key's, by the algorithm of that name.
    pub(super) fn verifies(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        self.checks.iter().any(|(name, key)| *name == algorithm && key.verify_sig(message, signature).is_ok())
    }

    fn of_spki(spki: &SubjectPublicKeyInfo<'_>) -> Result<Self, InvalidKey> {
        let kind = spki.algorithm.algorithm.to_id_string();
        let bytes = &spki.subject_public_key.data;
        if matches!(spki.parsed(), Ok(PublicKey::RSA(_))) {
            return Self::rsa_der(bytes);
        }
        let curve = match kind.as_str() {
            ELLIPTIC => spki.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok()).map(|curve| curve.to_id_string()),
            _ => Some(kind),
        };
        let known = curve.and_then(|curve| CURVES.iter().find(|(oid, ..)| *oid == curve)).ok_or(InvalidKey::Type)?;
        Self::on_curve(known.2, known.3, bytes)
    }

    fn on_curve(name: &'static str, algorithm: &'static dyn VerificationAlgorithm, point: &[u8]) -> Result<Self, InvalidKey> {
        let key = ParsedPublicKey::new(algorithm, point).map_err(|_| InvalidKey::Malformed("public key"))?;
        Ok(Self { id: None, checks: vec![(name, key)] })
    }

    fn rsa_der(der: &[u8]) -> Result<Self, InvalidKey> {
        let (_, key) = x509_parser::public_key::RSAPublicKey::from_der(der).map_err(|_| InvalidKey::Malformed("public key"))?;
        Self::rsa(key.modulus, key.exponent)
    }

    fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, InvalidKey> {
        let [n, e] = [modulus, exponent].map(without_leading_zeros);
        let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
        if bits < RSA_BITS_MIN {
            return Err(InvalidKey::Small(bits));
        }
        let parts = RsaPublicKeyComponents { n, e };
        let check = |(name, algorithm)| parts.to_parsed_public_key(algorithm).map(|key| (name, key));
        let checks = RSA.into_iter().map(check).collect::<Result<_, _>>().map_err(|_| InvalidKey::Malformed("public key"))?;
        Ok(Self { id: None, checks })
    }
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|byte| **byte == 0).count()..]
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<serde_json::Value>,
}

/// A key in JSON, as far as it is of use here.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
}

impl Jwk {
    /// The key, unless it is none that signs tokens.
    fn key(&self) -> Option<Key> {
        if self.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let mut key = match self.kty.as_str() {
            "RSA" => Key::rsa(&number(&self.n)?, &number(&self.e)?).ok()?,
            "EC" => {
                let [x, y] = [number(&self.x)?, number(&self.y)?];
                self.curve(&[&[4], &x[..], &y[..]].concat())?
            }
            "OKP" => self.curve(&number(&self.x)?)?,
            _ => return None,
        };
        if let Some(algorithm) = &self.alg {
            key.checks.retain(|(name, _)| name == algorithm);
        }
        key.id.clone_from(&self.kid);
        (!key.checks.is_empty()).then_some(key)
    }

    fn curve(&self, point: &[u8]) -> Option<Key> {
        let curve = self.crv.as_deref()?;
        let (oid, _, name, algorithm) = CURVES.into_iter().find(|(_, known, ..)| *known == curve)?;
        let expected = if oid == ED25519 { "OKP" } else { "EC" };
        (self.kty == expected).then(|| Key::on_curve(name, algorithm, point).ok())?
    }
}

fn number(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithms: Vec<_> = self.checks.iter().map(|(name, _)| name).collect();
        f.debug_struct("Key").field("id", &self.id).field("algorithms", &algorithms).finish()
    }
}
