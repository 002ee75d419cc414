//! `http.auth.bearer`: tokens that another party has issued.

use std::path::PathBuf;
use std::time::Duration;

use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::section::section;
use crate::url;

section! {
    /// Tokens that another party has issued.
    pub struct Bearer {
        /// URL at which clients get a token.
        "realm" => realm: Option<String> = None;
        /// Name that tokens for this registry carry.
        "service" => service: Option<String> = None;
        /// Who issues the tokens; anybody with the key if absent.
        "issuer" => issuer: Option<String> = None;
        /// File with the certificate, public key or key set that tokens are checked with.
        "cert" => cert: Option<PathBuf> = None;
        /// Secret of AWS that holds the same.
        "awsSecretsManager" => aws_secrets_manager: Option<AwsSecretsManager> = None;
        /// Parties whose identity tokens are taken.
        "oidc" => oidc: Vec<BearerOidc> = Vec::new();
        /// Where the registry itself fetches tokens for its clients.
        "upstreamTokenEndpoint" => upstream_token_endpoint: Option<UpstreamTokenEndpoint> = None;
    }
}

section! {
    /// A secret of AWS with the key that tokens are checked with.
    pub struct AwsSecretsManager {
        /// Region of the secret.
        "region" => region: String = String::new();
        /// Name of the secret.
        "secretName" => secret_name: String = String::new();
        /// How often the secret is read again.
        "refreshInterval" => refresh_interval: Duration = Duration::from_secs(60);
    }
}

section! {
    /// A token service that the registry asks on behalf of its clients.
    pub struct UpstreamTokenEndpoint {
        /// URL of the service.
        "realm" => realm: String = String::new();
        /// Name that the tokens carry.
        "service" => service: String = String::new();
        /// Whether the URL may go without TLS.
        "allowInsecureHttp" => allow_insecure_http: bool = false;
    }
}

section! {
    /// A party whose identity tokens are taken.
    pub struct BearerOidc {
        /// URL of the party.
        "issuer" => issuer: String = String::new();
        /// Names that tokens for this registry carry, any of them.
        "audiences" => audiences: Vec<String> = Vec::new();
        /// How a token's claims become a user.
        "claimMapping" => claim_mapping: ClaimMapping = ClaimMapping::default();
        /// Authority of the party's certificate, in PEM.
        "certificateAuthority" => certificate_authority: Option<String> = None;
        /// File with the authority of the party's certificate.
        "certificateAuthorityFile" => certificate_authority_file: Option<PathBuf> = None;
        /// Whether tokens may name another issuer.
        "skipIssuerVerification" => skip_issuer_verification: bool = false;
    }
}

section! {
    /// How a token's claims become a user; the expressions are CEL.
    pub struct ClaimMapping {
        /// Expressions with a name, for use in the others.
        "variables" => variables: Vec<ClaimVariable> = Vec::new();
        /// Conditions that a token must meet.
        "validations" => validations: Vec<ClaimValidation> = Vec::new();
        /// The user's name.
        "username" => username: String = "claims.iss + '/' + claims.sub".to_owned();
        /// The user's groups; none if absent.
        "groups" => groups: Option<String> = None;
    }
}

section! {
    /// An expression with a name.
    pub struct ClaimVariable {
        /// The name.
        "name" => name: String = String::new();
        /// The expression.
        "expression" => expression: String = String::new();
    }
}

section! {
    /// A condition that a token must meet.
    pub struct ClaimValidation {
        /// The condition.
        "expression" => expression: String = String::new();
        /// What is said when it is not met.
        "message" => message: String = String::new();
    }
}

impl Bearer {
    /// Whether tokens of the registry token protocol are checked.
    #[must_use]
    pub fn checks_registry_tokens(&self) -> bool {
        self.realm.is_some() && self.service.is_some() && self.has_key()
    }

    fn has_key(&self) -> bool {
        self.cert.is_some() || self.aws_secrets_manager.is_some()
    }

    pub(super) fn check(&self, path: &KeyPath, report: &Report) {
        // A realm alone is used by the identity tokens' challenge; a key alone would check nothing.
        if !self.checks_registry_tokens() && (self.has_key() || self.oidc.is_empty()) {
            let message = "incomplete: set `realm`, `service` and one of `cert` and `awsSecretsManager`, or `oidc`; \
                           otherwise no token would be checked";
            report.problem(path, message);
        }
        if let (Some(_), Some(_)) = (&self.cert, &self.aws_secrets_manager) {
            report.problem(&path.key("awsSecretsManager"), "exclusive with `cert`: keep one of the two");
        }
        if let Some(secret) = &self.aws_secrets_manager {
            let path = path.key("awsSecretsManager");
            needed(&[("region", &secret.region), ("secretName", &secret.secret_name)], &path, report);
        }
        for (index, oidc) in self.oidc.iter().enumerate() {
            oidc.check(&path.key("oidc").index(index), report);
        }
        if let Some(endpoint) = &self.upstream_token_endpoint {
            endpoint.check(&path.key("upstreamTokenEndpoint"), report);
        }
    }
}

impl UpstreamTokenEndpoint {
    fn check(&self, path: &KeyPath, report: &Report) {
        needed(&[("realm", &self.realm), ("service", &self.service)], path, report);
        let path = path.key("realm");
        match url::scheme(&self.realm) {
            Some("https") => {}
            Some("http") if self.allow_insecure_http => report.warning(&path, "tokens and credentials are sent without TLS"),
            Some("http") => report.problem(&path, "must be an `https` URL unless `allowInsecureHttp` is set"),
            _ => report.problem(&path, "must be an absolute `https` URL"),
        }
    }
}

impl BearerOidc {
    fn check(&self, path: &KeyPath, report: &Report) {
        needed(&[("issuer", &self.issuer)], path, report);
        if self.audiences.is_empty() {
            report.problem(&path.key("audiences"), "must name at least one audience, otherwise no token would be checked");
        }
        if self.certificate_authority.is_some() && self.certificate_authority_file.is_some() {
            report.problem(&path.key("certificateAuthorityFile"), "exclusive with `certificateAuthority`: keep one of the two");
        }
        let path = path.key("claimMapping");
        for (index, variable) in self.claim_mapping.variables.iter().enumerate() {
            needed(&[("name", &variable.name)], &path.key("variables").index(index), report);
        }
        for (index, validation) in self.claim_mapping.validations.iter().enumerate() {
            let keys = [("expression", &validation.expression), ("message", &validation.message)];
            needed(&keys, &path.key("validations").index(index), report);
        }
    }
}

fn needed(keys: &[(&str, &String)], path: &KeyPath, report: &Report) {
    for (key, _) in keys.iter().filter(|(_, value)| value.is_empty()) {
        report.problem(&path.key(key), "must be set");
    }
}
