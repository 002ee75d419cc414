//! Proving what the registry is by a private key (RFC 7523): `private_key_jwt` of OpenID Connect.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::{Deserialize, Serialize};

/// How long a proof is good for.
const LIFE: Duration = Duration::from_secs(5 * 60);
/// What kind of proof it is (RFC 7523 section 2.2).
pub(super) const KIND: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A private key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PrivateKeyError {
    /// Its file cannot be read.
    #[error("read `{path}`", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Its file holds no key of a kind that is known.
    #[error("find a private key of RSA, P-256, P-384 or Ed25519 in `{path}`", path = path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
    },
}

/// A key that proves what the registry is.
pub(super) struct PrivateKey {
    key: EncodingKey,
    header: Header,
}

/// A key with its number, as some parties hand it out.
#[derive(Deserialize)]
struct KeyFile {
    key: String,
    #[serde(rename = "keyId")]
    id: Option<String>,
}

#[derive(Serialize)]
struct Assertion<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
    jti: String,
}

impl PrivateKey {
    /// Reads a key: PEM, or a JSON object with the PEM under `key` and its number under `keyId`.
    pub(super) fn load(path: &Path) -> Result<Self, PrivateKeyError> {
        let text = fs::read_to_string(path).map_err(|source| PrivateKeyError::Read { path: path.to_owned(), source })?;
        let (pem, id) = match serde_json::from_str::<KeyFile>(&text) {
            Ok(file) => (file.key, file.id),
            Err(_) => (text, None),
        };
        let (algorithm, key) = parse(pem.as_bytes()).ok_or_else(|| PrivateKeyError::Unknown { path: path.to_owned() })?;
        Ok(Self { key, header: Header { kid: id, ..Header::new(algorithm) } })
    }

    /// A proof for `audience` that this is `client`.
    pub(super) fn assertion(&self, client: &str, audience: &str) -> Result<String, jsonwebtoken::errors::Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let jti = uuid::Uuid::new_v4().to_string();
        let claims = Assertion { iss: client, sub: client, aud: audience, iat: now, exp: now + LIFE.as_secs(), jti };
        encode(&self.header, &claims, &self.key)
    }
}

/// Reads a private key of one kind.
type ReadKey = fn(&[u8]) -> jsonwebtoken::errors::Result<EncodingKey>;

/// The kinds that are known, each tried by making a signature.
fn parse(pem: &[u8]) -> Option<(Algorithm, EncodingKey)> {
    let kinds: [(Algorithm, ReadKey); 4] = [
        (Algorithm::RS256, EncodingKey::from_rsa_pem),
        (Algorithm::ES256, EncodingKey::from_ec_pem),
        (Algorithm::ES384, EncodingKey::from_ec_pem),
        (Algorithm::EdDSA, EncodingKey::from_ed_pem),
    ];
    kinds.into_iter().find_map(|(algorithm, read)| {
        let key = read(pem).ok()?;
        encode(&Header::new(algorithm), &serde_json::json!({}), &key).ok().map(|_| (algorithm, key))
    })
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("algorithm", &self.header.alg).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation, decode};
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PublicKeyData as _};

    use super::*;

    #[test]
    fn a_key_of_each_kind_proves_what_the_registry_is() {
        let room = tempfile::tempdir().unwrap();
        for (kind, algorithm) in
            [(&PKCS_ECDSA_P256_SHA256, Algorithm::ES256), (&PKCS_ECDSA_P384_SHA384, Algorithm::ES384), (&PKCS_ED25519, Algorithm::EdDSA)]
        {
            let pair = KeyPair::generate_for(kind).unwrap();
            let (bare, numbered) = (room.path().join("key.pem"), room.path().join("key.json"));
            fs::write(&bare, pair.serialize_pem()).unwrap();
            fs::write(&numbered, serde_json::json!({"type": "application", "keyId": "7", "key": pair.serialize_pem()}).to_string())
                .unwrap();
            for (file, id) in [(&bare, None), (&numbered, Some("7"))] {
                let key = PrivateKey::load(file).unwrap();
                assert_eq!((key.header.alg, key.header.kid.as_deref()), (algorithm, id));
                let proof = key.assertion("registry", "https://idp.example.org").unwrap();
                let mut expected = Validation::new(algorithm);
                expected.set_audience(&["https://idp.example.org"]);
                let public = pair.subject_public_key_info();
                let public = match algorithm {
                    Algorithm::EdDSA => DecodingKey::from_ed_der(pair.der_bytes()),
                    _ => DecodingKey::from_ec_pem(pem(&public).as_bytes()).unwrap(),
                };
                let claims = decode::<serde_json::Value>(&proof, &public, &expected).unwrap().claims;
                assert_eq!((&claims["iss"], &claims["sub"]), (&"registry".into(), &"registry".into()));
                assert!(claims["jti"].as_str().is_some_and(|id| id.len() > 20));
            }
        }
    }

    #[test]
    fn what_is_no_key_is_told() {
        let room = tempfile::tempdir().unwrap();
        let file = room.path().join("key.pem");
        assert!(matches!(PrivateKey::load(&file), Err(PrivateKeyError::Read { .. })));
        fs::write(&file, "no key").unwrap();
        assert!(matches!(PrivateKey::load(&file), Err(PrivateKeyError::Unknown { .. })));
    }

    fn pem(der: &[u8]) -> String {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }
}
