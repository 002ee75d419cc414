//! `http.auth.mtls`: users who show a certificate.

use serde_json::Value;

use crate::http::Tls;
use crate::key_path::KeyPath;
use crate::pattern;
use crate::report::Report;
use crate::setting::section::section;
use crate::setting::{Found, Setting};

section! {
    /// Users who show a certificate.
    pub struct MutualTls {
        /// Where in the certificate the user's name stands; the first that is there counts.
        "identityAttributes" => identity_attributes: Vec<IdentityAttribute> = vec![IdentityAttribute::CommonName];
        /// Regular expression whose first group is the name in a URI.
        "uriSanPattern" => uri_san_pattern: Option<String> = None;
        /// Which of several URIs.
        "uriSanIndex" => uri_san_index: usize = 0;
        /// Which of several host names.
        "dnsSanIndex" => dns_san_index: usize = 0;
        /// Which of several addresses.
        "emailSanIndex" => email_san_index: usize = 0;
    }
}

/// A place in a certificate where a user's name can stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityAttribute {
    /// The common name of the subject.
    CommonName,
    /// The whole subject.
    Subject,
    /// An alternative name that is an e-mail address.
    Email,
    /// An alternative name that is a URI.
    Uri,
    /// An alternative name that is a host name.
    DnsName,
}

impl Setting for IdentityAttribute {
    fn read(found: &Found<'_>) -> Option<Self> {
        let word = String::read(found)?;
        match word.trim().to_lowercase().as_str() {
            "commonname" | "cn" => Some(Self::CommonName),
            "subject" | "dn" => Some(Self::Subject),
            "email" | "rfc822name" => Some(Self::Email),
            "uri" | "url" => Some(Self::Uri),
            "dnsname" | "dns" => Some(Self::DnsName),
            _ => {
                found.refuse(format!("unsupported identity attribute: {word}, supported are: CommonName, Subject, Email, URI, DNSName"));
                None
            }
        }
    }

    fn show(&self) -> Value {
        Value::from(match self {
            Self::CommonName => "CommonName",
            Self::Subject => "Subject",
            Self::Email => "Email",
            Self::Uri => "URI",
            Self::DnsName => "DNSName",
        })
    }
}

impl MutualTls {
    pub(super) fn check(&self, tls: Option<&Tls>, path: &KeyPath, report: &Report) {
        if tls.is_none_or(|tls| tls.cacert.is_none()) {
            report.problem(path, "mTLS configuration requires TLS to be enabled with CA certificate");
        }
        if self.identity_attributes.is_empty() {
            report.problem(&path.key("identityAttributes"), "must name at least one attribute");
        }
        if let Some(regex) = &self.uri_san_pattern {
            pattern::check_regex(regex, &path.key("uriSanPattern"), report);
        }
        let needs = [
            ("uriSanPattern", self.uri_san_pattern.is_some(), IdentityAttribute::Uri),
            ("uriSanIndex", self.uri_san_index > 0, IdentityAttribute::Uri),
            ("dnsSanIndex", self.dns_san_index > 0, IdentityAttribute::DnsName),
            ("emailSanIndex", self.email_san_index > 0, IdentityAttribute::Email),
        ];
        for (key, _, attribute) in needs.iter().filter(|(_, set, attribute)| *set && !self.identity_attributes.contains(attribute)) {
            let name = attribute.show();
            report.problem(&path.key(key), format!("is only supported with {name} among `identityAttributes`"));
        }
    }
}
