//! `http.auth.ldap`: a directory of users.

use std::path::{Path, PathBuf};

use crate::ConfigError;
use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::secret::Secret;
use crate::setting::section::section;
use crate::source;

section! {
    /// A directory of users.
    pub struct Ldap {
        /// Host of the directory.
        "address" => address: String = String::new();
        /// Port of the directory.
        "port" => port: u16 = 0;
        /// Whether the connection goes without TLS.
        "insecure" => insecure: bool = false;
        /// Whether a plain connection is turned into TLS.
        "startTLS" => start_tls: bool = false;
        /// Whether the directory's certificate is taken unchecked.
        "skipVerify" => skip_verify: bool = false;
        /// Whether users are looked for below the base's children too.
        "subtreeSearch" => subtree_search: bool = false;
        /// Where in the directory users stand.
        "baseDN" => base_dn: String = String::new();
        /// Attribute that holds the name a user logs in with.
        "userAttribute" => user_attribute: String = String::new();
        /// Further condition on users.
        "userFilter" => user_filter: Option<String> = None;
        /// Attribute that holds the groups of a user.
        "userGroupAttribute" => user_group_attribute: Option<String> = None;
        /// File with the authority of the directory's certificate; the system's if absent.
        "caCert" => ca_cert: Option<PathBuf> = None;
        /// File with `bindDN` and `bindPassword`.
        "credentialsFile" => credentials_file: Option<PathBuf> = None;
        /// Name to look users up with, in the file itself, as releases of 2023 had it.
        "bindDN" => bind_dn: Option<String> = None;
        /// Password of that name.
        "bindPassword" => bind_password: Option<Secret> = None;
    }
}

section! {
    /// What the registry shows a directory to look users up: all that is in the file that `credentialsFile` names.
    pub struct BindCredentials {
        /// Its name there.
        "bindDN" => bind_dn: Option<String> = None;
        /// Its password there.
        "bindPassword" => bind_password: Option<Secret> = None;
    }
}

impl BindCredentials {
    /// Reads a file, in the format that its extension says.
    ///
    /// # Errors
    /// It cannot be read, or holds anything else than both of them.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        source::read_section(path, |credentials: &Self, report| {
            let password = credentials.bind_password.as_ref().map(Secret::reveal);
            for (key, value) in [("bindDN", credentials.bind_dn.as_deref()), ("bindPassword", password)] {
                if value.is_none_or(str::is_empty) {
                    report.problem(&KeyPath::of(key), "must be set");
                }
            }
        })
    }
}

impl Ldap {
    /// What the registry shows the directory to look users up; nothing of either if it asks as nobody.
    ///
    /// # Errors
    /// The file with it cannot be read, or holds something else.
    pub fn bind_credentials(&self) -> Result<BindCredentials, ConfigError> {
        match &self.credentials_file {
            Some(path) => BindCredentials::load(path),
            None => Ok(BindCredentials { bind_dn: self.bind_dn.clone(), bind_password: self.bind_password.clone() }),
        }
    }

    pub(super) fn check(&self, path: &KeyPath, report: &Report) {
        let mandatory = [("userAttribute", &self.user_attribute), ("address", &self.address), ("baseDN", &self.base_dn)];
        for (key, _) in mandatory.iter().filter(|(_, value)| value.is_empty()) {
            let name = key.to_lowercase();
            let name = if *key == "baseDN" { &name } else { *key };
            report.problem(&path.key(key), format!("invalid LDAP configuration, missing mandatory key: {name}"));
        }
        if self.port == 0 {
            report.problem(&path.key("port"), "must be set, usually 389, or 636 for TLS");
        }
        if self.address.contains(['/', ' ']) {
            report
                .problem(&path.key("address"), "must be the name or address of a host: the scheme follows from `insecure` and `startTLS`");
        }
        if self.insecure && !self.start_tls {
            report.warning(&path.key("insecure"), "passwords are sent over the network as they are; consider `startTLS`");
        }
        if self.skip_verify {
            report.warning(&path.key("skipVerify"), "whoever is between here and the directory can read passwords; consider `caCert`");
        }
        if self.bind_dn.is_some() != self.bind_password.is_some() {
            report.problem(&path.key("bindDN"), "`bindDN` and `bindPassword` belong together");
        }
        if self.credentials_file.is_some() && self.bind_dn.is_some() {
            report.problem(&path.key("credentialsFile"), "exclusive with `bindDN` and `bindPassword`: keep one of the two");
        }
    }
}
