//! Finding out who somebody is: one way of proving it a file, and the order in which they are tried.

pub mod bearer;
mod certificate;
mod credentials;
mod entries;
mod hashing;
pub mod htpasswd;
pub mod ldap;
mod several;
mod source;
mod turns;
mod verified;

use std::sync::Arc;

use http::{HeaderMap, Method as HttpMethod};
use zot_contract::{BoxError, Subject};

use crate::{
    Identity, Peer,
    sessions::{self, Sessions},
};

pub use self::{
    certificate::{CertificateNames, InvalidPattern},
    credentials::{Credentials, InvalidCredentials},
    several::Several,
    source::{PasswordSource, Proof, TokenSource, Verdict},
    verified::Verified,
};

/// What a request shows of who sent it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The request's method.
    pub method: &'a HttpMethod,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The other end of its connection.
    pub peer: &'a Peer,
}

/// The ways in which somebody can prove who they are. Without any, nobody is asked.
#[derive(Debug, Default)]
pub struct Authenticators {
    /// Who knows passwords, in the order in which they are asked.
    pub passwords: Vec<Box<dyn PasswordSource>>,
    /// Who knows tokens, in the order in which they are asked.
    pub tokens: Vec<Box<dyn TokenSource>>,
    /// Where users stand in certificates, if certificates are a proof.
    pub certificates: Option<CertificateNames>,
    /// Who knows the sessions of browsers.
    pub sessions: Option<Arc<Sessions>>,
}

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// What was shown as a proof cannot be understood.
    #[error("credentials cannot be understood")]
    Invalid(#[from] InvalidCredentials),
    /// It proves nothing.
    #[error("credentials are wrong")]
    Wrong,
    /// Who would know cannot be asked, and nobody else knows.
    #[error("{what} cannot be asked")]
    Unavailable {
        /// Who would know.
        what: &'static str,
        /// Why it cannot be asked.
        #[source]
        source: BoxError,
    },
}

impl Authenticators {
    /// Whether anybody is asked who they are.
    pub fn is_on(&self) -> bool {
        let named = !self.passwords.is_empty() || self.sessions.is_some();
        named || !self.tokens.is_empty() || self.certificates.is_some()
    }

    /// Finds out who a request is from. What a request shows decides which way is tried, and there is no falling back to another: somebody
    /// whose password is wrong is not nobody in particular.
    ///
    /// # Errors
    /// What it shows proves nothing, or cannot be checked for now.
    pub async fn identify(&self, asked: &Asked<'_>) -> Result<Identity, Rejected> {
        // A preflight carries no credentials (Fetch standard section 3.3.5).
        if !self.is_on() || *asked.method == HttpMethod::OPTIONS {
            return Ok(Identity::anonymous());
        }
        let mut verdicts = Verdicts::default();
        match Credentials::of(asked.headers)? {
            Some(Credentials::Basic { user, password }) => {
                for source in &self.passwords {
                    if let Some(identity) = verdicts.take(source.check(&user, &password).await) {
                        return Ok(identity);
                    }
                }
            }
            Some(Credentials::Bearer(token)) => {
                for source in &self.tokens {
                    if let Some(identity) = verdicts.take(source.check(&token).await) {
                        return Ok(identity);
                    }
                }
            }
            None => {
                if let Some(sessions) = self.sessions.as_ref().filter(|_| sessions::is_from_pages(asked.headers)) {
                    let found = sessions.identify(asked.headers).await;
                    let found = found.map_err(|source| Rejected::Unavailable { what: "the store of sessions", source: source.into() })?;
                    if let Some(identity) = found {
                        return Ok(identity);
                    }
                }
                let Some(verdict) = self.certificates.as_ref().and_then(|names| names.check(asked)) else {
                    return Ok(Identity::anonymous());
                };
                if let Some(identity) = verdicts.take(verdict) {
                    return Ok(identity);
                }
            }
        }
        Err(verdicts.rejected())
    }
}

/// What those said who were asked so far, none of whom knew the proof.
#[derive(Default)]
struct Verdicts {
    unavailable: Option<Rejected>,
}

impl Verdicts {
    fn take(&mut self, verdict: Verdict) -> Option<Identity> {
        match verdict {
            Verdict::Proved(proof) => {
                let Proof { user, mut groups, method, rights, claims } = proof;
                groups.sort();
                groups.dedup();
                let subject = user.map_or(Subject::Anonymous, Subject::User);
                Some(Identity { subject, groups, method, rights, claims })
            }
            Verdict::Wrong => None,
            Verdict::Unavailable { what, source } => {
                self.unavailable.get_or_insert(Rejected::Unavailable { what, source });
                None
            }
        }
    }

    /// Who could not be asked may be the one who knows.
    fn rejected(self) -> Rejected {
        self.unavailable.unwrap_or(Rejected::Wrong)
    }
}

#[cfg(test)]
mod tests;
