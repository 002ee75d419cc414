//! Logins whose groups are noted, so that the API keys of a user go by them.

use std::sync::Arc;

use zot_config::Secret;

use super::Accounts;
use crate::authn::{PasswordSource, Verdict};

/// Those who know passwords and groups. To be asked themselves, and not from memory: what is noted is what they say now.
#[derive(Debug)]
pub struct GroupsNoted {
    source: Box<dyn PasswordSource>,
    accounts: Arc<Accounts>,
}

impl GroupsNoted {
    /// `source`, whose groups are noted in `accounts`.
    pub fn new(source: Box<dyn PasswordSource>, accounts: Arc<Accounts>) -> Self {
        Self { source, accounts }
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait::async_trait]
impl PasswordSource for GroupsNoted {
    async fn check(&self, user: &str, password: &Secret) -> Verdict {
        let verdict = self.source.check(user, password).await;
        if let Verdict::Proved(proof) = &verdict
            && let Some(user) = &proof.user
        {
            self.accounts.remember_groups(user, proof.groups.iter().map(ToString::to_string).collect()).await;
        }
        verdict
    }

    fn version(&self) -> u64 {
        self.source.version()
    }
}

#[cfg(test)]
mod tests {
    use zot_contract::MemoryRegistry;

    use super::*;
    use crate::{Method, authn::Proof};

    #[derive(Debug)]
    struct Directory;

    #[async_trait::async_trait]
    impl PasswordSource for Directory {
        async fn check(&self, user: &str, password: &Secret) -> Verdict {
            if password.reveal() != "right" {
                return Verdict::Wrong;
            }
            Verdict::Proved(Proof { groups: vec!["devs".into()], ..Proof::of_user(user, Method::Ldap) })
        }
    }

    #[tokio::test]
    async fn only_who_logs_in_is_noted() {
        let accounts = Arc::new(Accounts::new(Arc::new(MemoryRegistry::default())));
        let logins = GroupsNoted::new(Box::new(Directory), accounts.clone());
        assert!(matches!(logins.check("alice", &Secret::new("wrong")).await, Verdict::Wrong));
        assert_eq!(accounts.find(&"alice".parse().unwrap()).await.unwrap(), None);
        assert!(matches!(logins.check("alice", &Secret::new("right")).await, Verdict::Proved(_)));
        // What was seen a moment ago is forgotten with the change.
        assert_eq!(accounts.find(&"alice".parse().unwrap()).await.unwrap().unwrap().groups, ["devs"]);
    }
}
