//! A token as it is written (RFC 7515, RFC 7519), and whether a key vouches for it.
//!
//! The header of a token says which key and which algorithm it was signed with. Only what is known already is chosen by it: a key is never taken
//! from a token or from where a token says that it is, and an algorithm must be one of those that the key was made for.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{TOKEN_BYTES_MAX, claims::Claims, key::KeySet};

/// A token whose signature has not been checked yet.
#[derive(Debug)]
pub(super) struct Jwt<'a> {
    algorithm: String,
    key_id: Option<String>,
    signed: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

/// Why a token is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidToken {
    /// It is larger than tokens are.
    #[error("it has more than {TOKEN_BYTES_MAX} bytes")]
    TooLarge,
    /// It is no signed token.
    #[error("it is no signed JSON web token")]
    Malformed,
    /// It needs something understood that is not.
    #[error("its header has a critical extension")]
    Critical,
    /// Nobody who is known vouches for it.
    #[error("no known key of its algorithm has signed it")]
    Signature,
    /// A claim is not of the type that it has to be.
    #[error("its claim {0} is missing or malformed")]
    Claim(&'static str),
    /// It is too old.
    #[error("it has expired")]
    Expired,
    /// It is from the future.
    #[error("it is not valid yet")]
    NotYet,
    /// It is for somebody else.
    #[error("it is for another audience")]
    Audience,
    /// It is from somebody else.
    #[error("it is from another issuer")]
    Issuer,
}

impl<'a> Jwt<'a> {
    /// Takes a token apart.
    pub(super) fn parse(token: &'a str) -> Result<Self, InvalidToken> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(InvalidToken::TooLarge);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(InvalidToken::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(InvalidToken::Malformed)?;
        let header = Claims::parse(&decoded(header)?)?;
        if header.get("crit").is_some() {
            return Err(InvalidToken::Critical);
        }
        let algorithm = header.text("alg").ok_or(InvalidToken::Malformed)?.to_owned();
        let key_id = match header.get("kid") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(InvalidToken::Malformed),
        };
        Ok(Self { algorithm, key_id, signed, payload, signature: decoded(signature)? })
    }

    /// Which algorithm it says that it was signed with.
    pub(super) fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// Which key it says that it was signed with.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// What it claims, if one of `keys` vouches for it.
    pub(super) fn verify(&self, keys: &KeySet) -> Result<Claims, InvalidToken> {
        let vouched = keys.candidates(self.key_id()).any(|key| key.verifies(&self.algorithm, self.signed.as_bytes(), &self.signature));
        if vouched { self.unverified() } else { Err(InvalidToken::Signature) }
    }

    /// What it claims, whoever made it.
    pub(super) fn unverified(&self) -> Result<Claims, InvalidToken> {
        Claims::parse(&decoded(self.payload)?)
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, InvalidToken> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| InvalidToken::Malformed)
}
