//! The user that a client's certificate names: the handshake has verified the certificate, here it is only read (RFC 5280 sections 4.1.2.6
//! and 4.2.1.6).

use std::sync::Arc;

use regex::Regex;
use x509_parser::{
    prelude::{FromDer as _, GeneralName, X509Certificate},
    x509::X509Name,
};
use zot_config::http::auth::{IdentityAttribute, MutualTls};

use super::{Proof, Verdict};
use crate::{Method, authn::Asked};

/// Where in a certificate the user's name stands.
#[derive(Debug)]
pub struct CertificateNames {
    attributes: Vec<IdentityAttribute>,
    uri_pattern: Option<Regex>,
    uri: usize,
    dns: usize,
    email: usize,
}

/// The pattern of the configuration is no regular expression.
#[derive(Debug, thiserror::Error)]
#[error("use http.auth.mtls.uriSanPattern")]
pub struct InvalidPattern(#[from] regex::Error);

impl CertificateNames {
    /// As the configuration says.
    ///
    /// # Errors
    /// The pattern is no regular expression.
    pub fn new(settings: &MutualTls) -> Result<Self, InvalidPattern> {
        Ok(Self {
            attributes: settings.identity_attributes.clone(),
            uri_pattern: settings.uri_san_pattern.as_deref().map(Regex::new).transpose()?,
            uri: settings.uri_san_index,
            dns: settings.dns_san_index,
            email: settings.email_san_index,
        })
    }

    /// Whom the certificate of a request's connection names, if there is a certificate.
    pub(super) fn check(&self, asked: &Asked<'_>) -> Option<Verdict> {
        let certificate = asked.peer.tls.as_ref()?.certificate.as_ref()?;
        let user = self.user(certificate);
        Some(user.map_or(Verdict::Wrong, |user| Verdict::Proved(Proof::of_user(&user, Method::Certificate))))
    }

    /// The name in a certificate in DER: of the first attribute that it has.
    fn user(&self, der: &Arc<[u8]>) -> Option<String> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let alternatives = certificate.subject_alternative_name().ok().flatten();
        let alternatives = alternatives.map(|extension| extension.value.general_names.as_slice()).unwrap_or_default();
        self.attributes.iter().find_map(|attribute| match attribute {
            IdentityAttribute::CommonName => common_name(certificate.subject()),
            IdentityAttribute::Subject => subject(certificate.subject()),
            IdentityAttribute::Email => nth(alternatives, self.email, |name| match name {
                GeneralName::RFC822Name(email) => Some(email),
                _ => None,
            }),
            IdentityAttribute::DnsName => nth(alternatives, self.dns, |name| match name {
                GeneralName::DNSName(name) => Some(name),
                _ => None,
            }),
            IdentityAttribute::Uri => {
                let uri = nth(alternatives, self.uri, |name| match name {
                    GeneralName::URI(uri) => Some(uri),
                    _ => None,
                });
                self.of_uri(&uri?)
            }
        })
    }

    /// The part of a URI that the pattern's first group matches; all of it without a pattern.
    fn of_uri(&self, uri: &str) -> Option<String> {
        let Some(pattern) = &self.uri_pattern else { return Some(uri.to_owned()) };
        let groups = pattern.captures(uri)?;
        groups.get(1).map(|name| name.as_str().to_owned()).filter(|name| !name.is_empty())
    }
}

fn nth<'a>(names: &'a [GeneralName<'a>], index: usize, of: impl Fn(&'a GeneralName<'a>) -> Option<&'a str>) -> Option<String> {
    names.iter().filter_map(of).nth(index).filter(|name| !name.is_empty()).map(str::to_owned)
}

fn common_name(name: &X509Name<'_>) -> Option<String> {
    let name = name.iter_common_name().next()?.as_str().ok()?;
    Some(name.to_owned()).filter(|name| !name.is_empty())
}

/// The whole name, the most specific part first (RFC 4514 section 2.1).
fn subject(name: &X509Name<'_>) -> Option<String> {
    let parts = name.iter_rdn().collect::<Vec<_>>();
    let text: Vec<String> = parts.iter().rev().map(|part| part.iter().map(attribute).collect::<Vec<_>>().join("+")).collect();
    Some(text.join(",")).filter(|text| !text.is_empty())
}

fn attribute(attribute: &x509_parser::x509::AttributeTypeAndValue<'_>) -> String {
    let name = x509_parser::objects::oid2abbrev(attribute.attr_type(), x509_parser::objects::oid_registry());
    let name = name.map_or_else(|_| attribute.attr_type().to_id_string(), str::to_owned);
    let value = attribute.as_str().unwrap_or_default();
    format!("{name}={}", escaped(value))
}

/// RFC 4514 section 2.4.
fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut text = String::with_capacity(value.len());
    for (index, character) in value.chars().enumerate() {
        let outermost = (index == 0 && matches!(character, ' ' | '#')) || (index == last && character == ' ');
        if outermost || matches!(character, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn certificate(change: impl FnOnce(&mut CertificateParams)) -> Arc<[u8]> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        Arc::from(params.self_signed(&key).unwrap().der().as_ref())
    }

    fn user(attributes: &[IdentityAttribute], settings: MutualTls, der: &Arc<[u8]>) -> Option<String> {
        let settings = MutualTls { identity_attributes: attributes.to_vec(), ..settings };
        CertificateNames::new(&settings).unwrap().user(der)
    }

    #[test]
    fn the_first_attribute_that_is_there_names_the_user() {
        let der = certificate(|params| {
            params.distinguished_name.push(DnType::OrganizationName, "Ex, Inc");
            params.distinguished_name.push(DnType::CommonName, "alice");
            params.subject_alt_names = vec![
                SanType::DnsName("one.example".try_into().unwrap()),
                SanType::DnsName("two.example".try_into().unwrap()),
                SanType::Rfc822Name("alice@example.org".try_into().unwrap()),
            ];
        });
        let of = |attributes: &[IdentityAttribute]| user(attributes, MutualTls::default(), &der);
        use IdentityAttribute as A;
        assert_eq!(of(&[A::CommonName]).as_deref(), Some("alice"));
        assert_eq!(of(&[A::Subject]).as_deref(), Some("CN=alice,O=Ex\\, Inc"));
        assert_eq!(of(&[A::Email]).as_deref(), Some("alice@example.org"));
        assert_eq!(of(&[A::Uri]), None);
        assert_eq!(of(&[A::Uri, A::DnsName]).as_deref(), Some("one.example"));
        let second = MutualTls { dns_san_index: 1, ..MutualTls::default() };
        assert_eq!(user(&[A::DnsName], second, &der).as_deref(), Some("two.example"));
        let third = MutualTls { dns_san_index: 2, ..MutualTls::default() };
        assert_eq!(user(&[A::DnsName], third, &der), None);
    }

    #[test]
    fn a_pattern_takes_a_part_of_a_uri() {
        let der = certificate(|params| {
            params.subject_alt_names = vec![SanType::URI("spiffe://example.org/workload/builder".try_into().unwrap())];
        });
        let of = |pattern: &str| {
            let settings = MutualTls { uri_san_pattern: Some(pattern.to_owned()), ..MutualTls::default() };
            user(&[IdentityAttribute::Uri], settings, &der)
        };
        assert_eq!(of("spiffe://example.org/workload/(.+)").as_deref(), Some("builder"));
        assert_eq!(of("spiffe://other.org/workload/(.+)"), None);
        assert_eq!(of("workload/builder()"), None, "an empty name is none");
    }

    #[test]
    fn what_names_nobody_is_nobody() {
        let der = certificate(|_| {});
        assert_eq!(user(&[IdentityAttribute::CommonName, IdentityAttribute::Subject], MutualTls::default(), &der), None);
        assert_eq!(user(&[IdentityAttribute::CommonName], MutualTls::default(), &Arc::from(&b"no certificate"[..])), None);
    }
}
