//! The kinds of hashes that an htpasswd file may hold: bcrypt, and the forms of crypt(3) that are made with SHA-2.

use std::sync::Arc;

use sha_crypt::{PasswordHashRef, PasswordVerifier as _, ShaCrypt};

/// The largest password that bcrypt looks at the whole of, in bytes.
const BCRYPT_PASSWORD_BYTES_MAX: usize = 72;
/// The largest password hashed by the others, in bytes: their cost grows with its square.
const SHA_PASSWORD_BYTES_MAX: usize = 1024;
/// The largest cost of bcrypt that is taken: some ten seconds for a password.
const BCRYPT_COST_MAX: u32 = 17;
/// The largest number of rounds that is taken: some ten seconds for a password.
const SHA_ROUNDS_MAX: u32 = 10_000_000;
const SHA_ROUNDS_MIN: u32 = 1000;
const SHA_SALT_CHARACTERS_MAX: usize = 16;

/// The hash of a password.
#[derive(Clone)]
pub(super) enum Hash {
    /// `$2a$`, `$2b$` and `$2y$`.
    Bcrypt(Arc<str>),
    /// `$5$` and `$6$`.
    Sha(Arc<str>),
}

/// Why nobody can log in with a hash. The hash itself is never told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error("the hash is of a kind that is not supported; supported are bcrypt (`htpasswd -B`), and SHA-256 and SHA-512 of crypt(3)")]
    Kind,
    #[error("the hash is malformed")]
    Malformed,
    #[error("checking the hash would take too long: at most cost {BCRYPT_COST_MAX} of bcrypt and {SHA_ROUNDS_MAX} rounds are taken")]
    TooCostly,
}

impl Hash {
    /// Takes a hash as it stands in the file.
    pub(super) fn parse(text: &str) -> Result<Self, Unusable> {
        if ["$2a$", "$2b$", "$2y$"].iter().any(|kind| text.starts_with(kind)) {
            let parts: bcrypt::HashParts = text.parse().map_err(|_| Unusable::Malformed)?;
            return match parts.get_cost() {
                4..=BCRYPT_COST_MAX => Ok(Self::Bcrypt(text.into())),
                0..4 => Err(Unusable::Malformed),
                _ => Err(Unusable::TooCostly),
            };
        }
        let (rest, digest_characters) = match (text.strip_prefix("$5$"), text.strip_prefix("$6$")) {
            (Some(rest), _) => (rest, 43),
            (_, Some(rest)) => (rest, 86),
            _ => return Err(Unusable::Kind),
        };
        check_sha(rest, digest_characters)?;
        PasswordHashRef::new(text).map_err(|_| Unusable::Malformed)?;
        Ok(Self::Sha(text.into()))
    }

    /// Whether it is the hash of `password`. It takes the time that the hash asks for, unless the password is too large to be anybody's.
    pub(super) fn verify(&self, password: &str) -> bool {
        match self {
            Self::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Self::Sha(hash) => ShaCrypt::default().verify_password(password.as_bytes(), &**hash).is_ok(),
        }
    }

    /// Whether it can be the hash of a password as large as `password`. bcrypt would silently cut it.
    pub(super) fn takes(&self, password: &str) -> bool {
        let bytes_max = match self {
            Self::Bcrypt(_) => BCRYPT_PASSWORD_BYTES_MAX,
            Self::Sha(_) => SHA_PASSWORD_BYTES_MAX,
        };
        password.len() <= bytes_max
    }
}

/// Checks what follows the kind: `[rounds=N$]salt$digest`. A digest that is cut short must not match by its beginning.
fn check_sha(rest: &str, digest_characters: usize) -> Result<(), Unusable> {
    let salted = match rest.strip_prefix("rounds=") {
        Some(rest) => {
            let (rounds, rest) = rest.split_once('$').ok_or(Unusable::Malformed)?;
            match rounds.parse() {
                Ok(SHA_ROUNDS_MIN..=SHA_ROUNDS_MAX) => rest,
                Ok(0..SHA_ROUNDS_MIN) | Err(_) => return Err(Unusable::Malformed),
                Ok(_) => return Err(Unusable::TooCostly),
            }
        }
        None => rest,
    };
    let (salt, digest) = salted.split_once('$').ok_or(Unusable::Malformed)?;
    let is_digest = digest.len() == digest_characters && digest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"./".contains(&byte));
    let is_salt = (1..=SHA_SALT_CHARACTERS_MAX).contains(&salt.len());
    if is_digest && is_salt { Ok(()) } else { Err(Unusable::Malformed) }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bcrypt(_) => "Bcrypt",
            Self::Sha(_) => "Sha",
        })
    }
}
