//! The files that TLS is made from, as the configuration names them.

use zot_config::{Config, KeyPath, Part, Problem, cluster::Cluster, http::Http};
use zot_runtime::{
    telemetry::chain,
    tls::{TlsFiles, TlsSource},
};

/// The files of the certificate that clients are shown, if there is to be one.
pub fn http_tls_files(http: &Http) -> Option<TlsFiles> {
    http.tls.as_ref().map(|tls| TlsFiles {
        cert: tls.cert.clone(),
        key: tls.key.clone(),
        client_ca: tls.cacert.clone(),
        // Who shows none may prove who they are in another way.
        client_optional: true,
    })
}

/// The files of the certificate of the internal plane, if there is to be one.
pub fn plane_tls_files(cluster: &Cluster) -> Option<TlsFiles> {
    let tls = cluster.tls.as_ref()?;
    Some(TlsFiles { cert: tls.cert.clone()?, key: tls.key.clone()?, client_ca: tls.cacert.clone(), client_optional: false })
}

/// What is wrong with the files that concern `part`.
pub(crate) fn check(config: &Config, part: Part) -> Vec<Problem> {
    let http = http_tls_files(&config.http).filter(|_| part != Part::Node);
    let plane = config.cluster.as_ref().and_then(plane_tls_files);
    let unusable = |(path, files): (&str, Option<TlsFiles>)| {
        let error = TlsSource::load(files?).err()?;
        Some(Problem { path: KeyPath::of(path), message: chain(&error).to_string() })
    };
    [("http.tls", http), ("cluster.tls", plane)].into_iter().filter_map(unusable).collect()
}
