//! `http.auth.ldap`: a directory of users.

use std::path::PathBuf;

use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::secret::Secret;
use crate::setting::section::section;

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

impl Ldap {
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
        if self.bind_dn.is_some() != self.bind_password.is_some() {
            report.problem(&path.key("bindDN"), "`bindDN` and `bindPassword` belong together");
        }
        if self.credentials_file.is_some() && self.bind_dn.is_some() {
            report.problem(&path.key("credentialsFile"), "exclusive with `bindDN` and `bindPassword`: keep one of the two");
        }
    }
}
