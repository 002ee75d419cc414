//! Keys that tokens are checked with in a secret of AWS Secrets Manager (`http.auth.bearer.awsSecretsManager`), read again and again.
//!
//! It needs `secretsmanager:GetSecretValue` on the secret. Credentials, and another endpoint if there is one, come from where AWS's own tools find
//! them: the environment, profiles, and the role of the machine.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use aws_config::{BehaviorVersion, Region, timeout::TimeoutConfig};
use aws_sdk_secretsmanager::Client;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use zot_config::http::auth::AwsSecretsManager;
use zot_contract::BoxError;
use zot_runtime::{tasks::Tasks, telemetry::chain};

use super::{
    KEYS_BYTES_MAX,
    key::{InvalidKey, KeySet},
};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one reading may take, with all its attempts.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// The shortest time between two readings: AWS counts them.
const REFRESH_MIN: Duration = Duration::from_secs(1);

/// The keys of a secret, as it was when it was last read and good.
#[derive(Debug)]
pub(super) struct AwsSecret(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    client: Client,
    name: String,
    keys: ArcSwap<KeySet>,
}

/// A secret of AWS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AwsSecretError {
    /// It cannot be read.
    #[error("read the secret `{name}`")]
    Read {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// It holds no keys.
    #[error("use the secret `{name}`")]
    Keys {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: InvalidKey,
    },
}

impl AwsSecret {
    /// Reads the secret, and keeps reading it among `tasks`.
    pub(super) async fn open(settings: &AwsSecretsManager, tasks: &Tasks) -> Result<Self, AwsSecretError> {
        let (client, name) = (client(&settings.region).await, settings.secret_name.clone());
        let keys = ArcSwap::from_pointee(read(&client, &name).await?);
        let kept = Arc::new(Kept { client, name, keys });
        tasks.spawn("read-keys-of-tokens", {
            let (kept, stop, pause) = (Arc::clone(&kept), tasks.stop(), settings.refresh_interval.max(REFRESH_MIN));
            async move {
                while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
                    if stop.run_until_cancelled(kept.refresh()).await.is_none() {
                        return;
                    }
                }
            }
        });
        Ok(Self(kept))
    }

    /// The keys.
    pub(super) fn keys(&self) -> Arc<KeySet> {
        self.0.keys.load_full()
    }
}

impl Kept {
    async fn refresh(&self) {
        match read(&self.client, &self.name).await {
            Ok(keys) => self.keys.store(Arc::new(keys)),
            Err(error) => tracing::warn!(secret = self.name, error = %chain(&error), "keys that tokens are checked with stay as they were"),
        }
    }
}

async fn client(region: &str) -> Client {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https();
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_timeout(READ_TIMEOUT).build();
    let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http).timeout_config(timeouts);
    Client::new(&loader.region(Region::new(region.to_owned())).load().await)
}

async fn read(client: &Client, name: &str) -> Result<KeySet, AwsSecretError> {
    let answer = client.get_secret_value().secret_id(name).send().await;
    let secret = answer.map_err(|source| AwsSecretError::Read { name: name.to_owned(), source: source.into() })?;
    let binary = secret.secret_binary().map(AsRef::as_ref);
    let text = secret.secret_string().map(str::as_bytes).or(binary).unwrap_or_default();
    let keys = if text.len() > KEYS_BYTES_MAX { Err(InvalidKey::TooLarge) } else { KeySet::parse_named(text) };
    keys.map_err(|source| AwsSecretError::Keys { name: name.to_owned(), source })
}
