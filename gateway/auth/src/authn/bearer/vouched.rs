//! Tokens that a key vouched for are not checked by it again: a signature costs more than all else that a small request does.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::{
    claims::Claims,
    jwt::{InvalidToken, Jwt},
    key::KeySet,
};
use crate::authn::entries::{Entries, Key};

/// How many tokens are kept at most. What one claims takes a few times its length in memory.
const ENTRIES_MAX: usize = 4096;
/// Longer ones are checked each time, in bytes: those of token services are shorter.
const KEPT_BYTES_MAX: usize = 2048;
/// For how long a token is kept. Token services make them for as long.
const LIFE: Duration = Duration::from_secs(5 * 60);

/// What tokens claim that the present keys have vouched for. Whether they are of use now is not remembered.
#[derive(Debug, Default)]
pub(super) struct Vouched(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Who vouched for what is kept. With other keys all of it goes.
    keys: Weak<KeySet>,
    entries: Entries<Arc<Claims>>,
}

impl Vouched {
    /// What `token` claims, if one of `keys` vouches for it.
    pub(super) fn claims(&self, token: &str, keys: &Arc<KeySet>) -> Result<Arc<Claims>, InvalidToken> {
        if token.len() > KEPT_BYTES_MAX {
            return Jwt::parse(token)?.verify(keys).map(Arc::new);
        }
        let key: Key = Sha256::digest(token).into();
        if let Some(claims) = self.0.lock().of(keys).get(&key, Instant::now()) {
            return Ok(Arc::clone(claims));
        }
        let claims = Arc::new(Jwt::parse(token)?.verify(keys)?);
        self.0.lock().of(keys).insert(key, Arc::clone(&claims), LIFE, ENTRIES_MAX);
        Ok(claims)
    }
}

impl State {
    /// What `keys` vouched for.
    fn of(&mut self, keys: &Arc<KeySet>) -> &mut Entries<Arc<Claims>> {
        if !std::ptr::eq(self.keys.as_ptr(), Arc::as_ptr(keys)) {
            *self = Self { keys: Arc::downgrade(keys), entries: Entries::default() };
        }
        &mut self.entries
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::authn::bearer::tests::{Issuer, claims};

    fn keys(issuer: &Issuer) -> Arc<KeySet> {
        Arc::new(KeySet::parse(issuer.pem().as_bytes()).unwrap())
    }

    #[test]
    fn what_was_vouched_for_is_read_once() {
        let issuer = Issuer::elliptic();
        let (vouched, keys) = (Vouched::default(), keys(&issuer));
        let token = issuer.token(&json!({"alg": "ES256"}), &claims());
        let first = vouched.claims(&token, &keys).unwrap();
        assert!(Arc::ptr_eq(&first, &vouched.claims(&token, &keys).unwrap()));
        let other = issuer.token(&json!({"alg": "ES256"}), &json!({"sub": "bob"}));
        assert_eq!(vouched.claims(&other, &keys).unwrap().text("sub"), Some("bob"));
    }

    #[test]
    fn other_keys_vouch_for_themselves() {
        let [old, new] = [Issuer::elliptic(), Issuer::elliptic()];
        let vouched = Vouched::default();
        let token = old.token(&json!({"alg": "ES256"}), &claims());
        let (before, after) = (keys(&old), keys(&new));
        vouched.claims(&token, &before).unwrap();
        assert_eq!(vouched.claims(&token, &after), Err(InvalidToken::Signature));
        // Whoever still holds the old keys brings nothing back.
        vouched.claims(&token, &before).unwrap();
        assert_eq!(vouched.claims(&token, &after), Err(InvalidToken::Signature));
    }

    #[test]
    fn what_was_refused_and_what_is_long_is_not_kept() {
        let [issuer, other] = [Issuer::elliptic(), Issuer::elliptic()];
        let (vouched, keys) = (Vouched::default(), keys(&issuer));
        let forged = other.token(&json!({"alg": "ES256"}), &claims());
        for _ in 0..2 {
            assert_eq!(vouched.claims(&forged, &keys), Err(InvalidToken::Signature));
        }
        let long = issuer.token(&json!({"alg": "ES256"}), &json!({"sub": "x".repeat(KEPT_BYTES_MAX)}));
        let first = vouched.claims(&long, &keys).unwrap();
        assert!(!Arc::ptr_eq(&first, &vouched.claims(&long, &keys).unwrap()));
    }
}
