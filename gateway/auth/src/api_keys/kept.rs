//! Keys are kept from those who know other passwords: a key that was revoked or mistyped is still no business of a directory.

use zot_config::Secret;

use super::secret;
use crate::authn::{PasswordSource, Verdict};

/// Those who know passwords that are no keys.
#[derive(Debug)]
pub struct WithoutKeys<S>(pub S);

#[deny(clippy::missing_trait_methods)]
#[async_trait::async_trait]
impl<S: PasswordSource> PasswordSource for WithoutKeys<S> {
    async fn check(&self, user: &str, password: &Secret) -> Verdict {
        if secret::looks_like_one(password) { Verdict::Wrong } else { self.0.check(user, password).await }
    }

    fn version(&self) -> u64 {
        self.0.version()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Method, authn::Proof};

    /// Knows every password.
    #[derive(Debug)]
    struct Anything;

    #[async_trait::async_trait]
    impl PasswordSource for Anything {
        async fn check(&self, user: &str, _: &Secret) -> Verdict {
            Verdict::Proved(Proof::of_user(user, Method::Ldap))
        }
    }

    #[tokio::test]
    async fn what_looks_like_a_key_is_not_shown_to_others() {
        let others = WithoutKeys(Anything);
        for key in ["zak_0123456789abcdef0123456789abcdef", "zak_0123456789abcdef0123456789abcde", "zak_"] {
            assert!(matches!(others.check("alice", &Secret::new(key)).await, Verdict::Wrong), "{key}");
        }
        for password in ["zak", "a password", ""] {
            assert!(matches!(others.check("alice", &Secret::new(password)).await, Verdict::Proved(_)), "{password}");
        }
    }
}
