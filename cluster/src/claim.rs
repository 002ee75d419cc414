//! What a gateway has decided, for the node that it asks: who may do what to which repository, sealed under a key that only members know.
//!
//! A node refuses what the claim of a call does not grant. Whoever gets onto the internal plane without the key can do nothing there, and a gateway
//! that asks for something else than it decided is refused.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zot_oci::RepositoryName;

/// How far a claim's time may be from that of whoever checks it, either way. Members whose clocks are an hour apart still understand each other.
pub const CLAIM_LIFE: Duration = Duration::from_secs(90 * 60);

/// The bytes of a seal: an HMAC-SHA256 (RFC 2104).
const SEAL_BYTES: usize = 32;

/// Keeps keys for different purposes apart that come from the same secret.
const PURPOSE: &[u8] = b"zot internal claim, version 1";

/// What a gateway has decided about one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The user, empty for nobody in particular.
    pub subject: String,
    /// What is granted.
    pub grants: Grants,
    /// When it was decided, in seconds since 1970.
    issued_s: u64,
}

/// What a claim grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Grants {
    /// Some acts on one repository.
    Repository {
        /// The repository, by its name.
        name: String,
        /// The acts.
        acts: Acts,
        /// A repository from which blobs may be mounted.
        from: Option<String>,
    },
    /// The list of repositories: the gateway shows of it what the subject may see.
    Catalog,
    /// What is kept of users, for the gateway itself.
    Users,
}

/// Acts on content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acts {
    /// Seeing and pulling.
    pub read: bool,
    /// Uploading blobs, and pushing what is new.
    pub create: bool,
    /// Pushing over what is there.
    pub update: bool,
    /// Deleting.
    pub delete: bool,
}

/// Why a claim is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Disbelieved {
    /// It was not sealed under this key, or changed since.
    #[error("claim is not sealed by a member of this cluster")]
    Seal,
    /// It is of another release, or was never one.
    #[error("claim cannot be read")]
    Unreadable,
    /// It is too old, or from a clock that is too far away.
    #[error("claim was made at another time")]
    Time,
}

impl Claim {
    /// A claim that is made now.
    pub fn new(subject: impl Into<String>, grants: Grants) -> Self {
        Self::made_at(SystemTime::now(), subject, grants)
    }

    /// A claim that is made at a time.
    pub fn made_at(time: SystemTime, subject: impl Into<String>, grants: Grants) -> Self {
        Self { subject: subject.into(), grants, issued_s: seconds(time) }
    }

    /// Whether it is about `repository`, and which acts it grants there; from where blobs are mounted, only reading.
    pub fn acts_on(&self, repository: &RepositoryName) -> Acts {
        match &self.grants {
            Grants::Repository { name, acts, from } => {
                let acts = if name == repository.as_str() { *acts } else { Acts::default() };
                // What is mounted into a repository may come from the same one.
                Acts { read: acts.read || from.as_deref() == Some(repository.as_str()), ..acts }
            }
            Grants::Catalog | Grants::Users => Acts::default(),
        }
    }
}

/// Seals claims, and tells sealed ones from others.
#[derive(Clone)]
pub struct ClaimKey([u8; SEAL_BYTES]);

impl ClaimKey {
    /// The key of a cluster whose members share `secret`.
    pub fn new(secret: &[u8]) -> Self {
        Self(code(secret, PURPOSE))
    }

    /// A claim as bytes that nobody without the key can make or change.
    pub fn seal(&self, claim: &Claim) -> Vec<u8> {
        // Strings and numbers always serialise; the fallback is believed by nobody.
        let text = serde_json::to_vec(claim).unwrap_or_default();
        let mut sealed = code(&self.0, &text).to_vec();
        sealed.extend(text);
        sealed
    }

    /// The claim in what [`ClaimKey::seal`] made.
    ///
    /// # Errors
    /// It is not believed.
    pub fn open(&self, sealed: &[u8]) -> Result<Claim, Disbelieved> {
        self.open_at(sealed, SystemTime::now())
    }

    /// The same, for whoever's clock shows `now`.
    ///
    /// # Errors
    /// It is not believed.
    pub fn open_at(&self, sealed: &[u8], now: SystemTime) -> Result<Claim, Disbelieved> {
        let (seal, text) = sealed.split_at_checked(SEAL_BYTES).ok_or(Disbelieved::Seal)?;
        let mut mac = mac(&self.0);
        mac.update(text);
        mac.verify_slice(seal).map_err(|_| Disbelieved::Seal)?;
        let claim: Claim = serde_json::from_slice(text).map_err(|_| Disbelieved::Unreadable)?;
        if seconds(now).abs_diff(claim.issued_s) > CLAIM_LIFE.as_secs() {
            return Err(Disbelieved::Time);
        }
        Ok(claim)
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn mac(key: &[u8]) -> Hmac<Sha256> {
    // A key of any length will do (RFC 2104 section 2), so that there always is one.
    Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()))
}

fn code(key: &[u8], text: &[u8]) -> [u8; SEAL_BYTES] {
    let mut mac = mac(key);
    mac.update(text);
    mac.finalize().into_bytes().into()
}

impl fmt::Debug for ClaimKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim() -> Claim {
        let acts = Acts { read: true, create: true, ..Acts::default() };
        Claim::new("alice", Grants::Repository { name: "app".to_owned(), acts, from: Some("base".to_owned()) })
    }

    #[test]
    fn a_sealed_claim_says_what_was_granted() {
        let key = ClaimKey::new(b"secret");
        let opened = key.open(&key.seal(&claim())).unwrap();
        assert_eq!(opened, claim());
        assert_eq!(opened.acts_on(&"app".parse().unwrap()), Acts { read: true, create: true, ..Acts::default() });
        assert_eq!(opened.acts_on(&"base".parse().unwrap()), Acts { read: true, ..Acts::default() });
        assert_eq!(opened.acts_on(&"other".parse().unwrap()), Acts::default());
        let (acts, app) = (Acts { create: true, ..Acts::default() }, "app".to_owned());
        let within = Claim::new("alice", Grants::Repository { name: app.clone(), acts, from: Some(app) });
        assert_eq!(within.acts_on(&"app".parse().unwrap()), Acts { read: true, create: true, ..Acts::default() }, "a mount from itself");
        assert_eq!(Claim::new("", Grants::Catalog).acts_on(&"app".parse().unwrap()), Acts::default());
    }

    #[test]
    fn what_was_changed_or_sealed_by_others_is_not_believed() {
        let key = ClaimKey::new(b"secret");
        let sealed = key.seal(&claim());
        assert_eq!(ClaimKey::new(b"other").open(&sealed), Err(Disbelieved::Seal));
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(key.open(&changed), Err(Disbelieved::Seal), "byte {index}");
        }
        for length in 0..sealed.len() {
            assert_eq!(key.open(&sealed[..length]), Err(Disbelieved::Seal), "{length} bytes");
        }
    }

    #[test]
    fn a_claim_does_not_live_for_ever_but_survives_a_clock_that_is_an_hour_off() {
        let key = ClaimKey::new(b"secret");
        let (sealed, now, hour) = (key.seal(&claim()), SystemTime::now(), Duration::from_secs(3600));
        assert!(key.open_at(&sealed, now + hour).is_ok() && key.open_at(&sealed, now - hour).is_ok());
        assert_eq!(key.open_at(&sealed, now + 2 * hour), Err(Disbelieved::Time));
        assert_eq!(key.open_at(&sealed, now - 2 * hour), Err(Disbelieved::Time));
    }
}
