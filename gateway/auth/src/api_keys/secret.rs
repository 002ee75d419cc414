//! The secret of an API key: `zak_` and 32 hexadecimal digits. It is shown once; what is kept is its hash.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zot_config::Secret;
use zot_contract::ApiKey;

/// What every key begins with.
const PREFIX: &str = "zak_";

/// The digits after the prefix.
const DIGITS: usize = 32;

/// The hash of the part of a key after its prefix, as zot computes it.
#[derive(Clone, Copy)]
pub(super) struct KeyHash([u8; 32]);

/// Whether a password looks like a key, of whatever shape: nobody else is shown it.
pub(super) fn looks_like_one(password: &Secret) -> bool {
    password.reveal().starts_with(PREFIX)
}

/// A new key, and its hash.
pub(super) fn random() -> (Secret, [u8; 32]) {
    let digits = hex::encode(rand::random::<[u8; DIGITS / 2]>());
    let hash = hash(&digits);
    (Secret::new(format!("{PREFIX}{digits}")), hash)
}

impl KeyHash {
    /// The hash of what was given as a password, if that can be a key.
    pub(super) fn of(password: &Secret) -> Option<Self> {
        let digits = password.reveal().strip_prefix(PREFIX)?;
        let is_key = digits.len() == DIGITS && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_key.then(|| Self(hash(digits)))
    }

    /// The key of this hash. Looking takes the same time whichever it is, if any.
    pub(super) fn find<'a>(&self, keys: &'a [ApiKey]) -> Option<&'a ApiKey> {
        keys.iter().fold(None, |found, key| if bool::from(self.0.ct_eq(&key.secret_sha256)) { Some(key) } else { found })
    }
}

fn hash(digits: &str) -> [u8; 32] {
    Sha256::digest(digits.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_found_by_its_hash() {
        let ((one, hash), (other, _)) = (random(), random());
        assert_ne!(one, other);
        assert_eq!((one.reveal().len(), KeyHash::of(&one).unwrap().0), (36, hash));
    }

    #[test]
    fn other_passwords_are_no_keys() {
        let digits = "0123456789abcdef0123456789abcdef";
        assert!(KeyHash::of(&Secret::new(format!("zak_{digits}"))).is_some());
        for other in [digits.to_owned(), format!("ZAK_{digits}"), format!("zak_{digits}0"), format!("zak_{}", digits.to_uppercase())] {
            assert!(KeyHash::of(&Secret::new(other.clone())).is_none(), "{other}");
        }
        assert!(KeyHash::of(&Secret::new("zak_")).is_none());
    }
}
