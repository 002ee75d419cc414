//! From the configuration to a store: every key that applies, and a first request that tells whether it works.

use std::{sync::Arc, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_s3::{
    Client,
    config::{
        Builder, Credentials, RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig, retry::RetryPartition,
        timeout::TimeoutConfig,
    },
    operation::head_bucket::HeadBucketError,
    types::{ObjectCannedAcl, ServerSideEncryption, StorageClass},
};
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use http::{HeaderValue, header::InvalidHeaderValue};
use zot_config::storage::S3;

use crate::{
    Limits, S3Blobs,
    bucket::{Bucket, Storing},
    http::{Http, Patience, Trust},
    keys::Keys,
    parts::PART_BYTES_DEFAULT,
    store::Store,
};

/// The pause before the first retry, at most; it doubles with each, and jitter shortens it.
const BACKOFF: Duration = Duration::from_millis(200);

/// The longest pause before a retry.
const BACKOFF_MAX: Duration = Duration::from_secs(3);

/// What the SDK calls credentials that the configuration gives.
const CONFIGURED: &str = "storageDriver";

/// A bucket that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nothing says which region the bucket is in.
    #[error("`storageDriver.region` is not set, and neither AWS_REGION nor a profile nor the instance's metadata names a region")]
    NoRegion,
    /// The name that the client is to give itself cannot be sent.
    #[error("use `storageDriver.useragent` as a header")]
    UserAgent(#[from] InvalidHeaderValue),
    /// The system's certificates cannot be read.
    #[error("prepare a client of S3")]
    Client(#[source] std::io::Error),
    /// There is no such bucket.
    #[error("bucket `{bucket}` does not exist at {endpoint}")]
    NoSuchBucket {
        /// The bucket.
        bucket: String,
        /// Where it was looked for.
        endpoint: String,
    },
    /// The credentials do not suffice.
    #[error("access to bucket `{bucket}` at {endpoint} is denied: check the credentials, and that they allow s3:ListBucket")]
    Denied {
        /// The bucket.
        bucket: String,
        /// Where it is.
        endpoint: String,
    },
    /// The bucket is in another region.
    #[error("bucket `{bucket}` is in region {region}, which `storageDriver.region` must name")]
    OtherRegion {
        /// The bucket.
        bucket: String,
        /// Its region, if S3 says which.
        region: String,
    },
    /// S3 does not answer as it should.
    #[error("open bucket `{bucket}` at {endpoint}")]
    Failed {
        /// The bucket.
        bucket: String,
        /// Where it was looked for.
        endpoint: String,
        /// Why it cannot be used.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl S3Blobs {
    /// Opens a bucket, and asks S3 whether it can be used.
    pub async fn open(config: &S3, limits: Limits) -> Result<Self, OpenError> {
        let (shared, endpoint) = shared(config).await?;
        let counters = Arc::default();
        let user_agent = config.user_agent.as_deref().filter(|name| !name.is_empty()).map(HeaderValue::from_str).transpose()?;
        let patience = Patience { connect: limits.connect, stall: limits.stall };
        let http = Http::new(trust(config, &endpoint), patience, user_agent, Arc::clone(&counters)).map_err(OpenError::Client)?;
        let clock = http.clock.clone();
        let client = client(config, &shared, &endpoint, limits).time_source(clock.clone()).http_client(http);
        // The clock is put right by us, for URLs too: the SDK would put it right a second time, and for requests only.
        let client = client.disable_clock_skew_correction(true);
        let client = Client::from_conf(client.build());
        let links = config.redirect_endpoint.clone();
        let bucket = Bucket { client, name: config.bucket.clone(), storing: storing(config), links, counters, clock };
        bucket.check().await.map_err(|error| refused(config, &endpoint, error))?;
        let part_bytes = config.chunk_size.unwrap_or(PART_BYTES_DEFAULT);
        Ok(Self::new(Store::new(bucket, Keys::new(&config.root_directory), part_bytes, limits)))
    }
}

/// Region and credentials: as configured, or else as every client of AWS finds them. With them, where S3 is.
async fn shared(config: &S3) -> Result<(SdkConfig, String), OpenError> {
    // The instance's metadata and the token service are asked by the SDK's own client: they are not the bucket, and not to be counted as it.
    let mode = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    loader = loader.http_client(aws_smithy_http_client::Builder::new().tls_provider(mode).build_https());
    if let Some(region) = config.region.clone().filter(|region| !region.is_empty()) {
        loader = loader.region(Region::new(region));
    }
    if let Some(credentials) = credentials(config) {
        loader = loader.credentials_provider(credentials);
    }
    let shared = loader.load().await;
    let region = shared.region().ok_or(OpenError::NoRegion)?.to_string();
    let endpoint = endpoint(config, &region);
    Ok((shared, endpoint))
}

/// Half of the keys is no credentials, and is refused with the configuration.
fn credentials(config: &S3) -> Option<Credentials> {
    let token = config.session_token.as_ref().map(|token| token.reveal().to_owned());
    let (access, secret) = (config.access_key.as_ref()?, config.secret_key.as_ref()?);
    Some(Credentials::new(access.reveal(), secret.reveal(), token, None, CONFIGURED))
}

/// Where S3 is, as a URL.
fn endpoint(config: &S3, region: &str) -> String {
    let scheme = if config.secure { "https" } else { "http" };
    let service = if config.use_fips_endpoint { "s3-fips" } else { "s3" };
    match config.region_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty()) {
        Some(endpoint) if endpoint.contains("://") => endpoint.to_owned(),
        Some(endpoint) => format!("{scheme}://{endpoint}"),
        None if region.starts_with("cn-") => format!("{scheme}://{service}.{region}.amazonaws.com.cn"),
        None => format!("{scheme}://{service}.{region}.amazonaws.com"),
    }
}

fn trust(config: &S3, endpoint: &str) -> Trust {
    match (config.skip_verify, endpoint.starts_with("http://")) {
        (_, true) => Trust::Nobody,
        (true, false) => Trust::Anybody,
        (false, false) => Trust::System,
    }
}

fn client(config: &S3, shared: &SdkConfig, endpoint: &str, limits: Limits) -> Builder {
    let retries = RetryConfig::standard().with_max_attempts(limits.attempts_max);
    let retries = retries.with_initial_backoff(BACKOFF).with_max_backoff(BACKOFF_MAX);
    let builder = Builder::from(shared)
        .retry_config(retries)
        // Another store that fails must not use up this one's retries.
        .retry_partition(RetryPartition::new(format!("{endpoint}/{}", config.bucket)))
        // Time without progress is bounded by the client below, for answers as well as for what is sent.
        .timeout_config(TimeoutConfig::builder().build())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        // Content is known by its SHA-256. Checksums besides cost time, and many servers do not know them.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .force_path_style(config.force_path_style.unwrap_or_default())
        .use_dual_stack(config.use_dual_stack)
        .accelerate(config.accelerate)
        .use_fips(config.use_fips_endpoint || shared.use_fips().unwrap_or_default());
    // Amazon's own names follow from region, `usedualstack`, `accelerate` and `usefipsendpoint`, but always with TLS.
    if config.has_own_endpoint() { builder.endpoint_url(endpoint) } else { builder }
}

fn storing(config: &S3) -> Storing {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty() && text != "NONE");
    let key_id = given(&config.key_id);
    // A key without `encrypt` is meant to be used all the same.
    let encryption = match &key_id {
        Some(_) => Some(ServerSideEncryption::AwsKms),
        None => config.encrypt.then_some(ServerSideEncryption::Aes256),
    };
    let class = given(&config.storage_class).map(|class| StorageClass::from(class.as_str()));
    let acl = given(&config.object_acl).map(|acl| ObjectCannedAcl::from(acl.as_str()));
    Storing { encryption, key_id, class, acl }
}

fn refused(config: &S3, endpoint: &str, error: SdkError<HeadBucketError, HttpResponse>) -> OpenError {
    let (bucket, endpoint) = (config.bucket.clone(), endpoint.to_owned());
    let answer = error.raw_response();
    match answer.map(|answer| answer.status().as_u16()) {
        Some(404) => OpenError::NoSuchBucket { bucket, endpoint },
        Some(401 | 403) => OpenError::Denied { bucket, endpoint },
        Some(301 | 307) => {
            let region = answer.and_then(|answer| answer.headers().get("x-amz-bucket-region")).unwrap_or("unknown").to_owned();
            OpenError::OtherRegion { bucket, region }
        }
        _ => OpenError::Failed { bucket, endpoint, source: error.into() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn link(config: &S3) -> String {
        let (shared, endpoint) = shared(config).await.unwrap();
        let http = Http::new(Trust::Nobody, Patience { connect: BACKOFF, stall: BACKOFF }, None, Arc::default()).unwrap();
        let clock = http.clock.clone();
        let client = Client::from_conf(client(config, &shared, &endpoint, Limits::default()).http_client(http).build());
        let links = config.redirect_endpoint.clone();
        let bucket = Bucket { client, name: config.bucket.clone(), storing: Storing::default(), links, counters: Arc::default(), clock };
        bucket.presigned("key", Duration::from_secs(60)).await.unwrap()
    }

    fn config() -> S3 {
        let secret = || Some(zot_config::Secret::new("secret"));
        S3 {
            bucket: "bucket".to_owned(),
            region: Some("us-gov-west-1".to_owned()),
            access_key: secret(),
            secret_key: secret(),
            ..S3::default()
        }
    }

    #[tokio::test]
    async fn the_validated_endpoint_is_asked_if_the_configuration_says_so() {
        let usual = link(&config()).await;
        assert!(usual.starts_with("https://bucket.s3.us-gov-west-1.amazonaws.com/key?"), "{usual}");
        let validated = link(&S3 { use_fips_endpoint: true, ..config() }).await;
        assert!(validated.starts_with("https://bucket.s3-fips.us-gov-west-1.amazonaws.com/key?"), "{validated}");
    }

    #[tokio::test]
    async fn links_lead_where_clients_are_to_go() {
        let redirect_endpoint = Some("https://blobs.example:8443".to_owned());
        let in_host = link(&S3 { redirect_endpoint: redirect_endpoint.clone(), ..config() }).await;
        assert!(in_host.starts_with("https://blobs.example:8443/key?"), "{in_host}");
        let in_path = link(&S3 { redirect_endpoint, force_path_style: Some(true), ..config() }).await;
        assert!(in_path.starts_with("https://blobs.example:8443/bucket/key?"), "{in_path}");
    }
}
