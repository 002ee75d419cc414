//! Several who know passwords, asked one after the other.

use zot_config::Secret;

use super::{PasswordSource, Verdict};

/// Those who are asked, the first one first.
#[derive(Debug)]
pub struct Several(pub Vec<Box<dyn PasswordSource>>);

#[async_trait::async_trait]
#[deny(clippy::missing_trait_methods)]
impl PasswordSource for Several {
    async fn check(&self, user: &str, password: &Secret) -> Verdict {
        // Who could not be asked may be the one who knows.
        let mut last = Verdict::Wrong;
        for source in &self.0 {
            match source.check(user, password).await {
                proved @ Verdict::Proved(_) => return proved,
                unavailable @ Verdict::Unavailable { .. } if matches!(last, Verdict::Wrong) => last = unavailable,
                Verdict::Unavailable { .. } | Verdict::Wrong => {}
            }
        }
        last
    }

    fn version(&self) -> u64 {
        self.0.iter().map(|source| source.version()).sum()
    }
}
