//! A store whose values are sealed before they are kept: whoever reads it learns nothing of who is logged in, and whoever writes to it lets nobody in.

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zot_config::Secret;

use super::{SessionStore, StoreError, StoreKey};

/// Keeps this key apart from what else is made with the same secret.
const PURPOSE: &[u8] = b"zot sessions at rest, version 1";

/// Seals what another store keeps: `nonce (12 bytes) ‖ AES-256-GCM(value) ‖ tag (16 bytes)`, bound to the value's key.
pub struct SealedStore {
    store: Arc<dyn SessionStore>,
    key: RandomizedNonceKey,
}

impl SealedStore {
    /// `store`, sealed under a key that is made of `secret`.
    ///
    /// # Errors
    /// The cipher cannot be had in this process.
    pub fn new(store: Arc<dyn SessionStore>, secret: &Secret) -> Result<Self, StoreError> {
        const ACT: &str = "make the key that sessions are sealed with";
        let derived = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()).map_err(|error| StoreError::new(ACT, error))?;
        let derived = derived.chain_update(PURPOSE).finalize().into_bytes();
        let key = RandomizedNonceKey::new(&AES_256_GCM, &derived).map_err(|error| StoreError::new(ACT, error))?;
        Ok(Self { store, key })
    }

    fn seal(&self, key: &StoreKey, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut sealed = value.to_vec();
        let nonce = self.key.seal_in_place_append_tag(Aad::from(key.as_bytes()), &mut sealed);
        let nonce = nonce.map_err(|error| StoreError::new("seal a session", error))?;
        Ok([nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// What does not open is as good as nothing: its user logs in again.
    fn open(&self, key: &StoreKey, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut value = sealed.to_vec();
        let length = self.key.open_in_place(nonce, Aad::from(key.as_bytes()), &mut value).ok()?.len();
        value.truncate(length);
        Some(value)
    }
}

#[async_trait::async_trait]
impl SessionStore for SealedStore {
    async fn create(&self, key: &StoreKey, value: &[u8], life: Duration) -> Result<(), StoreError> {
        self.store.create(key, &self.seal(key, value)?, life).await
    }

    async fn find(&self, key: &StoreKey) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.store.find(key).await?.and_then(|sealed| self.open(key, &sealed)))
    }

    async fn remove(&self, key: &StoreKey) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.store.remove(key).await?.and_then(|sealed| self.open(key, &sealed)))
    }
}

impl fmt::Debug for SealedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedStore").field("store", &self.store).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::MemoryStore, *};

    const LIFE: Duration = Duration::from_secs(60);
    const VALUE: &[u8] = br#"{"user":"alice"}"#;

    fn sealed(store: &Arc<MemoryStore>, secret: &str) -> SealedStore {
        SealedStore::new(Arc::<MemoryStore>::clone(store), &Secret::new(secret)).unwrap()
    }

    #[tokio::test]
    async fn it_is_a_store_of_sessions() {
        super::super::suite::suite(Arc::new(sealed(&Arc::new(MemoryStore::new(1000)), "0123456789abcdef"))).await;
    }

    #[tokio::test]
    async fn nobody_reads_what_is_kept_without_the_key() {
        let kept = Arc::new(MemoryStore::new(10));
        let (key, again) = (StoreKey::new([1; 32]), StoreKey::new([2; 32]));
        let store = sealed(&kept, "0123456789abcdef");
        for key in [&key, &again] {
            store.create(key, VALUE, LIFE).await.unwrap();
        }
        let [one, other] = [kept.find(&key).await.unwrap().unwrap(), kept.find(&again).await.unwrap().unwrap()];
        assert!(!one.windows(5).any(|bytes| bytes == b"alice"));
        assert_ne!(one[NONCE_LEN..], other[NONCE_LEN..], "the same value looks different each time");
        assert_eq!(sealed(&kept, "0123456789abcdeg").find(&key).await.unwrap(), None);
        assert_eq!(sealed(&kept, "0123456789abcdef").find(&key).await.unwrap().as_deref(), Some(VALUE));
    }

    #[tokio::test]
    async fn what_was_changed_moved_or_never_sealed_is_nothing() {
        let kept = Arc::new(MemoryStore::new(1000));
        let store = sealed(&kept, "0123456789abcdef");
        let key = StoreKey::new([1; 32]);
        store.create(&key, VALUE, LIFE).await.unwrap();
        let good = kept.find(&key).await.unwrap().unwrap();
        let changed = (0..good.len()).map(|index| {
            let mut bytes = good.clone();
            bytes[index] ^= 1;
            bytes
        });
        let shortened = (0..good.len()).map(|length| good[..length].to_vec());
        for bytes in changed.chain(shortened).chain([VALUE.to_vec()]) {
            kept.create(&key, &bytes, LIFE).await.unwrap();
            assert_eq!(store.find(&key).await.unwrap(), None, "{bytes:?}");
        }
        let elsewhere = StoreKey::new([2; 32]);
        kept.create(&elsewhere, &good, LIFE).await.unwrap();
        assert_eq!(store.find(&elsewhere).await.unwrap(), None, "a value is good at its place only");
        kept.create(&key, VALUE, LIFE).await.unwrap();
        assert_eq!(store.remove(&key).await.unwrap(), None);
        assert_eq!(kept.find(&key).await.unwrap(), None, "it is removed all the same");
    }
}
