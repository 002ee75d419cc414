//! What opens links: built from the settings once, so that faults in them are known before anybody is called.

use std::{fmt, fs, path::Path};

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo, RedisResult,
    TlsCertificates, TlsMode,
    cluster::{ClusterClient, ClusterClientBuilder},
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use tokio::sync::Mutex;
use zot_config::redis::{Form, Reach, Redis, Server, Tls};

use crate::{error::OpenError, limits::Limits, link::Link};

/// What opens links.
pub(crate) struct Dialer {
    to: To,
    config: AsyncConnectionConfig,
    client_name: Option<String>,
}

enum To {
    Server(Client),
    Primary(Mutex<SentinelClient>),
    Cluster(ClusterClient),
}

impl Dialer {
    pub(crate) fn new(reach: &Reach, limits: &Limits) -> Result<Self, OpenError> {
        // An error means that the process has a cryptography provider already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let certificates = certificates(reach.tls.as_ref())?;
        let to = match &reach.form {
            Form::Single => server(reach, certificates).map(To::Server),
            Form::Sentinels { master } => sentinels(reach, master, certificates).map(|client| To::Primary(Mutex::new(client))),
            Form::Cluster => cluster(reach, certificates, limits).map(To::Cluster),
        };
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(limits.dial)).set_response_timeout(Some(limits.answer));
        Ok(Self { to: to.map_err(OpenError::Client)?, config, client_name: reach.settings.client_name.clone() })
    }

    /// Opens a link. The caller bounds the time: to a cluster this may hang.
    pub(crate) async fn dial(&self) -> RedisResult<Link> {
        let mut link = match &self.to {
            To::Server(client) => client.get_multiplexed_async_connection_with_config(&self.config).await?,
            To::Primary(client) => client.lock().await.get_async_connection_with_config(&self.config).await?,
            To::Cluster(client) => return client.get_async_connection().await.map(Link::Cluster),
        };
        if let Some(name) = &self.client_name {
            redis::cmd("CLIENT").arg("SETNAME").arg(name).exec_async(&mut link).await?;
        }
        Ok(Link::Server(link))
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").finish_non_exhaustive()
    }
}

fn certificates(tls: Option<&Tls>) -> Result<Option<TlsCertificates>, OpenError> {
    let Some(path) = tls.and_then(|tls| tls.ca_certificates.as_ref()) else { return Ok(None) };
    let pem = fs::read(path).map_err(|source| OpenError::ReadAuthorities { path: path.clone(), source })?;
    check_authorities(&pem, path)?;
    Ok(Some(TlsCertificates { client_tls: None, root_cert: Some(pem) }))
}

/// A file without a certificate would make a connection that trusts nobody.
fn check_authorities(pem: &[u8], path: &Path) -> Result<(), OpenError> {
    let mut roots = rustls::RootCertStore::empty();
    let sound = CertificateDer::pem_slice_iter(pem).all(|certificate| certificate.is_ok_and(|certificate| roots.add(certificate).is_ok()));
    if sound && !roots.is_empty() { Ok(()) } else { Err(OpenError::Authorities { path: path.to_owned() }) }
}

fn address(server: &Server, tls: Option<&Tls>) -> ConnectionAddr {
    match (server, tls) {
        (Server::Unix(path), _) => ConnectionAddr::Unix(path.clone()),
        (Server::Tcp { host, port }, None) => ConnectionAddr::Tcp(host.clone(), *port),
        (Server::Tcp { host, port }, Some(tls)) => {
            ConnectionAddr::TcpTls { host: host.clone(), port: *port, insecure: !tls.verify, tls_params: None }
        }
    }
}

fn tls_mode(tls: &Tls) -> TlsMode {
    if tls.verify { TlsMode::Secure } else { TlsMode::Insecure }
}

fn protocol(settings: &Redis) -> ProtocolVersion {
    if settings.protocol == Some(3) { ProtocolVersion::RESP3 } else { ProtocolVersion::RESP2 }
}

/// How a server is greeted.
fn greeting(settings: &Redis) -> RedisConnectionInfo {
    let mut greeting = RedisConnectionInfo::default().set_protocol(protocol(settings));
    if let Some(password) = &settings.password {
        greeting = greeting.set_password(password.reveal());
        if let Some(username) = &settings.username {
            greeting = greeting.set_username(username);
        }
    }
    if settings.disable_identity {
        return greeting.set_skip_set_lib_name();
    }
    let suffix = settings.identity_suffix.as_ref().map(|suffix| format!("-{suffix}")).unwrap_or_default();
    greeting.set_lib_name(format!("zot{suffix}"), env!("CARGO_PKG_VERSION"))
}

fn servers(reach: &Reach, greeting: &RedisConnectionInfo) -> RedisResult<Vec<ConnectionInfo>> {
    let addresses = reach.servers.iter().map(|server| address(server, reach.tls.as_ref()));
    addresses.map(|address| Ok(address.into_connection_info()?.set_redis_settings(greeting.clone()))).collect()
}

fn server(reach: &Reach, certificates: Option<TlsCertificates>) -> RedisResult<Client> {
    let greeting = greeting(&reach.settings).set_db(i64::from(reach.settings.database));
    let mut servers = servers(reach, &greeting)?;
    let server = servers.swap_remove(0);
    match certificates {
        Some(certificates) => Client::build_with_tls(server, certificates),
        None => Client::open(server),
    }
}

/// Every address of a cluster must be greeted alike; the number of the database has no meaning there.
fn cluster(reach: &Reach, certificates: Option<TlsCertificates>, limits: &Limits) -> RedisResult<ClusterClient> {
    let servers = servers(reach, &greeting(&reach.settings))?;
    let mut builder = ClusterClientBuilder::new(servers).connection_timeout(limits.dial).response_timeout(limits.answer);
    if let Some(redirects) = reach.settings.max_redirects.and_then(|redirects| u32::try_from(redirects).ok()) {
        builder = builder.retries(redirects);
    }
    if let Some(certificates) = certificates {
        builder = builder.certs(certificates);
    }
    builder.build()
}

fn sentinels(reach: &Reach, master: &str, certificates: Option<TlsCertificates>) -> RedisResult<SentinelClient> {
    let settings = &reach.settings;
    let addresses = reach.servers.iter().map(|server| address(server, reach.tls.as_ref()));
    let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?
        .set_client_to_redis_db(i64::from(settings.database))
        .set_client_to_redis_protocol(protocol(settings));
    if let Some(password) = &settings.password {
        builder = builder.set_client_to_redis_password(password.reveal());
        if let Some(username) = &settings.username {
            builder = builder.set_client_to_redis_username(username);
        }
    }
    if let Some(password) = &settings.sentinel_password {
        builder = builder.set_client_to_sentinel_password(password.reveal());
        if let Some(username) = &settings.sentinel_username {
            builder = builder.set_client_to_sentinel_username(username);
        }
    }
    if let Some(tls) = &reach.tls {
        builder = builder.set_client_to_redis_tls_mode(tls_mode(tls)).set_client_to_sentinel_tls_mode(tls_mode(tls));
    }
    if let Some(certificates) = certificates {
        builder = builder.set_client_to_redis_certificates(certificates.clone()).set_client_to_sentinel_certificates(certificates);
    }
    builder.build()
}
