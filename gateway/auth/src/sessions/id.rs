//! The secrets that browsers hold: random, signed if the configuration has keys, and never written down anywhere here.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use zot_config::Secret;

use super::StoreKey;

/// How many characters 256 bits take in base64.
const CHARS: usize = 43;

/// 256 random bits that somebody shows again to be recognised. No formatting shows them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

impl Token {
    /// A fresh one, from the system's random numbers by way of a generator that is fit for secrets.
    pub(crate) fn random() -> Self {
        Self(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
    }

    /// One that was shown, if it can be one.
    pub(crate) fn shown(text: &str) -> Option<Self> {
        let fits = text.len() == CHARS && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        fits.then(|| Self(text.to_owned()))
    }

    /// What is handed out.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it, for one purpose and no other.
    pub(crate) fn key(&self, purpose: &'static str) -> StoreKey {
        StoreKey::new(Sha256::new().chain_update(purpose).chain_update([0]).chain_update(&self.0).finalize().into())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

/// Signs what browsers are given, so that nobody is asked for what was never given.
pub(super) struct Signer(Hmac<Sha256>);

impl Signer {
    pub(super) fn new(key: &Secret) -> Option<Self> {
        Hmac::new_from_slice(key.reveal().as_bytes()).ok().map(Self)
    }

    /// The token with its signature.
    pub(super) fn sign(&self, token: &Token) -> String {
        let signature = self.of(token).finalize().into_bytes();
        format!("{}.{}", token.reveal(), URL_SAFE_NO_PAD.encode(signature))
    }

    /// The token of what was shown, if its signature is right.
    pub(super) fn check(&self, text: &str) -> Option<Token> {
        let (token, signature) = text.split_once('.')?;
        let token = Token::shown(token)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.of(&token).verify_slice(&signature).is_ok().then_some(token)
    }

    fn of(&self, token: &Token) -> Hmac<Sha256> {
        let mut signer = self.0.clone();
        signer.update(b"session\0");
        signer.update(token.reveal().as_bytes());
        signer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_alike_and_none_is_shown() {
        let (one, other) = (Token::random(), Token::random());
        assert_ne!(one, other);
        assert_eq!(Token::shown(one.reveal()), Some(one.clone()));
        assert!(!format!("{one:?}").contains(one.reveal()));
        assert_ne!(one.key("session"), one.key("login"), "what is good for one purpose is not for another");
        for text in ["", "a", &"a".repeat(44), &"/".repeat(43)] {
            assert_eq!(Token::shown(text), None, "{text}");
        }
    }

    #[test]
    fn a_signature_is_of_one_token_and_one_key() {
        let [signer, other] = ["key", "other"].map(|key| Signer::new(&Secret::new(key)).unwrap());
        let token = Token::random();
        let signed = signer.sign(&token);
        assert_eq!(signer.check(&signed), Some(token.clone()));
        assert_eq!(other.check(&signed), None);
        let (_, signature) = signed.split_once('.').unwrap();
        assert_eq!(signer.check(&format!("{}.{signature}", Token::random().reveal())), None);
        for text in [token.reveal(), &format!("{}.", token.reveal()), &format!("{signed}a"), "."] {
            assert_eq!(signer.check(text), None, "{text}");
        }
    }
}
