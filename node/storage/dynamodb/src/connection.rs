//! The way to DynamoDB: region, credentials, timeouts, and the loop that every call goes through.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::{
    Client,
    config::{Builder, ProvideCredentials, SharedCredentialsProvider, retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use zot_aws::Clock;
use zot_config::storage::DynamoDb;
use zot_storage::{Error, Result};

use crate::{
    admission::Admission,
    attempts::{Attempts, Budget},
    calls::{Counters, Operation},
    options::Options,
};

/// An answer comes soon that takes less than this part of the time that it may take.
const SOON_IN: u32 = 3;

/// The way to DynamoDB.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) counters: Counters,
    pub(crate) budget: Budget,
    pub(crate) admission: Admission,
    pub(crate) options: Options,
    /// What calls are signed with.
    pub(crate) clock: Clock,
}

impl Connection {
    /// Finds region and credentials. No table is touched yet.
    pub(crate) async fn open(config: &DynamoDb, options: Options) -> Result<Self> {
        let shared = shared_config(config, &options).await;
        if shared.region().is_none() {
            return Err(cannot_connect("no region is known: set `region`, or the environment's AWS_REGION"));
        }
        find_credentials(&shared).await?;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(options.connect_timeout)
            .operation_attempt_timeout(options.attempt_timeout)
            .operation_timeout(options.attempt_timeout)
            .build();
        // What may be tried again is decided here, where it is known what a call does: the client itself makes one attempt.
        let clock = Clock::of("DynamoDB");
        let builder = Builder::from(&shared).retry_config(RetryConfig::disabled()).timeout_config(timeouts);
        // The clock is put right by us: the SDK would put it right a second time.
        let builder = builder.time_source(clock.clone()).disable_clock_skew_correction(true);
        let client = Client::from_conf(builder.build());
        let (counters, budget) = Default::default();
        let admission = Admission::new(options.attempt_timeout / SOON_IN);
        Ok(Self { client, counters, budget, admission, options, clock })
    }

    /// The attempts of a call.
    pub(crate) fn attempts(&self, operation: Operation) -> Attempts<'_> {
        Attempts::new(self, operation)
    }

    /// Makes a call that may happen twice, until it is answered or there is no time left.
    pub(crate) async fn call<T, E, F>(&self, operation: Operation, attempt: impl Fn() -> F) -> Result<T>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        F: Future<Output = std::result::Result<T, SdkError<E>>>,
    {
        let mut attempts = self.attempts(operation);
        loop {
            match attempts.make(attempt()).await? {
                Ok(answer) => return Ok(answer),
                Err(error) => attempts.failed(error).await?,
            }
        }
    }
}

async fn shared_config(config: &DynamoDb, options: &Options) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https();
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
    if let Some(region) = named(config.region.as_ref()) {
        loader = loader.region(Region::new(region.to_owned()));
    }
    if let Some(endpoint) = named(config.endpoint.as_ref()) {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(keys) = &options.keys {
        loader = loader.credentials_provider(SharedCredentialsProvider::new(keys.0.clone()));
    }
    loader.load().await
}

fn named(value: Option<&String>) -> Option<&str> {
    value.map(String::as_str).filter(|text| !text.is_empty())
}

/// Asks for credentials once, so that a start without any says so.
async fn find_credentials(shared: &SdkConfig) -> Result<()> {
    let provider = shared.credentials_provider().ok_or_else(|| cannot_connect("no AWS credentials are known"))?;
    provider.provide_credentials().await.map(drop).map_err(|error| Error::remote("find AWS credentials for DynamoDB", error))
}

fn cannot_connect(reason: &'static str) -> Error {
    Error::remote("connect to DynamoDB", reason)
}
