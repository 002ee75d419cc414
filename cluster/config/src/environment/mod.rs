//! Whether this machine has what a configuration speaks of; looking leaves nothing behind.

pub(crate) mod address;
mod disk;

use std::path::PathBuf;

use crate::cluster::Cluster;
use crate::extensions::Extensions;
use crate::http::auth::SessionDriver;
use crate::http::{Auth, Http};
use crate::key_path::KeyPath;
use crate::redis::Redis;
use crate::report::Report;
use crate::{Config, ConfigError, Part};

/// Reports every file, directory and address that cannot be used as the configuration says.
pub(crate) fn check(config: &Config, part: Part, report: &Report) {
    if part.stores() {
        check_directories(config, report);
    }
    for (key, file) in [("log.output", &config.log.output), ("log.audit", &config.log.audit)] {
        if let Some(file) = file {
            disk::check_appendable(file, &KeyPath::of(key), report);
        }
    }
    for (key, file) in files(config, part) {
        if let Some(file) = file {
            disk::check_readable(&file, &key, report);
        }
    }
    if part.serves_clients() {
        report_unusable(sections(&config.http.auth), report);
        address::check(&config.http, &KeyPath::of("http"), report);
    }
    if let Some(cluster) = &config.cluster {
        report_unusable(vec![(KeyPath::of("cluster.claimKeyFile"), cluster.claim_secret().map(drop))], report);
    }
    if part != Part::AllInOne && config.cluster.is_none() {
        let message = "the nodes and gateways of a cluster find each other by it: give its `nodes` and `hashKey`";
        report.problem(&KeyPath::of("cluster"), message);
    }
}

fn check_directories(config: &Config, report: &Report) {
    for (path, store) in config.storage.stores().filter(|(_, store)| !store.root_directory.as_os_str().is_empty()) {
        disk::check_writable_directory(&store.root_directory, &path.key("rootDirectory"), report);
    }
    if let Some(directory) = config.cluster.as_ref().and_then(|cluster| cluster.directory.as_ref()) {
        disk::check_writable_directory(directory, &KeyPath::of("cluster.directory"), report);
    }
    if let Some(cache) = &config.storage.all.blob_cache {
        disk::check_writable_directory(&cache.directory, &KeyPath::of("storage.blobCache.directory"), report);
    }
}

/// What files of access hold.
fn sections(auth: &Auth) -> Vec<(KeyPath, Result<(), ConfigError>)> {
    let path = KeyPath::of("http.auth");
    let mut read = vec![(path.key("sessionKeysFile"), auth.session_keys().map(drop))];
    for (name, provider) in auth.openid.iter().flat_map(|openid| &openid.providers) {
        let path = path.key("openid.providers").entry(name).key("credentialsFile");
        read.push((path, provider.client().map(drop)));
    }
    read
}

/// Reports files that can be read, but do not hold what they are for.
fn report_unusable(read: Vec<(KeyPath, Result<(), ConfigError>)>, report: &Report) {
    for (path, error) in read.into_iter().filter_map(|(path, read)| Some((path, read.err()?))) {
        // Those that cannot be read are reported with all other files.
        if !matches!(error, ConfigError::Read { .. }) {
            report.problem(&path, error.to_string());
        }
    }
}

/// A place in the configuration and the file that is named there, if one is.
type Named = (KeyPath, Option<PathBuf>);

/// Every file that will be read.
fn files(config: &Config, part: Part) -> Vec<Named> {
    let mut files = Vec::new();
    if part.serves_clients() {
        files.extend(http_files(&config.http));
        files.extend(extension_files(&config.extensions));
    }
    files.extend(config.cluster.iter().flat_map(cluster_files));
    files
}

fn cluster_files(cluster: &Cluster) -> Vec<Named> {
    let path = KeyPath::of("cluster");
    let mut files = vec![(path.key("claimKeyFile"), cluster.claim_key_file.clone())];
    if let Some(tls) = &cluster.tls {
        let path = path.key("tls");
        files.push((path.key("cert"), tls.cert.clone()));
        files.push((path.key("key"), tls.key.clone()));
        files.push((path.key("cacert"), tls.cacert.clone()));
    }
    files.extend(cluster.redis.as_ref().map(|redis| redis_file(redis, &path.key("redis"))));
    files
}

/// The authorities that a server may be certified by, wherever the settings name them.
fn redis_file(redis: &Redis, path: &KeyPath) -> Named {
    let tls = redis.reach().ok().and_then(|reach| reach.tls);
    (path.key("cacert"), tls.and_then(|tls| tls.ca_certificates))
}

fn http_files(http: &Http) -> Vec<Named> {
    let mut files = auth_files(&http.auth);
    if let Some(tls) = &http.tls {
        let path = KeyPath::of("http.tls");
        files.push((path.key("cert"), Some(tls.cert.clone())));
        files.push((path.key("key"), Some(tls.key.clone())));
        files.push((path.key("cacert"), tls.cacert.clone()));
    }
    files
}

fn auth_files(auth: &Auth) -> Vec<Named> {
    let path = KeyPath::of("http.auth");
    let mut files = vec![(path.key("sessionKeysFile"), auth.session_keys_file.clone())];
    if let Some(SessionDriver::Redis(redis)) = &auth.session_driver {
        files.push(redis_file(redis, &path.key("sessionDriver")));
    }
    files.extend(auth.htpasswd.iter().map(|htpasswd| (path.key("htpasswd.path"), Some(htpasswd.path.clone()))));
    if let Some(ldap) = &auth.ldap {
        files.push((path.key("ldap.caCert"), ldap.ca_cert.clone()));
        files.push((path.key("ldap.credentialsFile"), ldap.credentials_file.clone()));
    }
    if let Some(bearer) = &auth.bearer {
        files.push((path.key("bearer.cert"), bearer.cert.clone()));
        let entry = |index| path.key("bearer.oidc").index(index).key("certificateAuthorityFile");
        let authorities = bearer.oidc.iter().map(|oidc| oidc.certificate_authority_file.clone());
        files.extend(authorities.enumerate().map(|(index, file)| (entry(index), file)));
    }
    for (name, provider) in auth.openid.iter().flat_map(|openid| &openid.providers) {
        let path = path.key("openid.providers").entry(name);
        files.push((path.key("credentialsFile"), provider.credentials_file.clone()));
        files.push((path.key("keypath"), provider.key_path.clone()));
    }
    files
}

fn extension_files(extensions: &Extensions) -> Vec<Named> {
    let path = KeyPath::of("extensions");
    let mut files = Vec::new();
    for (index, sink) in extensions.events.iter().flat_map(|events| &events.sinks).enumerate() {
        let path = path.key("events.sinks").index(index);
        let credentials = sink.credentials.as_ref().and_then(|credentials| credentials.file.clone());
        files.push((path.key("credentials.file"), credentials));
        if let Some(tls) = &sink.tls {
            files.push((path.key("tlsconfig.cacertfile"), tls.ca_cert_file.clone()));
            files.push((path.key("tlsconfig.certfile"), tls.cert_file.clone()));
            files.push((path.key("tlsconfig.keyfile"), tls.key_file.clone()));
        }
    }
    if let Some(sync) = &extensions.sync {
        files.push((path.key("sync.credentialsFile"), sync.credentials_file.clone()));
        for (index, helper) in sync.registries.iter().map(|registry| registry.oauth2.as_ref()).enumerate() {
            let path = path.key("sync.registries").index(index).key("oauth2CredentialHelper");
            files.push((path.key("assertionFile"), helper.and_then(|helper| helper.assertion_file.clone())));
            files.push((path.key("signingFile"), helper.and_then(|helper| helper.signing_file.clone())));
            files.push((path.key("clientSecretFile"), helper.and_then(|helper| helper.client_secret_file.clone())));
        }
    }
    files
}
