//! `storageDriver` with the name `s3`: a bucket of Amazon S3, or of what speaks its protocol.

use std::ops::RangeInclusive;

use url::Url;

use crate::key_path::KeyPath;
use crate::report::Report;
use crate::setting::secret::Secret;
use crate::setting::section::section;

section! {
    /// A bucket of Amazon S3, or of what speaks its protocol.
    pub struct S3 {
        /// What every key begins with.
        "rootdirectory" => root_directory: String = String::new();
        /// Name of the bucket.
        "bucket" => bucket: String = String::new();
        /// Region of the bucket.
        "region" => region: Option<String> = None;
        /// URL of the service, where it is not Amazon's.
        "regionendpoint" => region_endpoint: Option<String> = None;
        /// Whether the bucket stands in the path instead of the host name; so by default with an endpoint of one's own.
        "forcepathstyle" => force_path_style: Option<bool> = None;
        /// Whether TLS is used.
        "secure" => secure: bool = true;
        /// Whether the service's certificate is taken unchecked.
        "skipverify" => skip_verify: bool = false;
        /// Access key; the environment's credentials if absent.
        "accesskey" => access_key: Option<Secret> = None;
        /// Secret of the access key.
        "secretkey" => secret_key: Option<Secret> = None;
        /// Token of temporary credentials.
        "sessiontoken" => session_token: Option<Secret> = None;
        /// Whether objects are encrypted by the service.
        "encrypt" => encrypt: bool = false;
        /// Key of the service's key store to encrypt with.
        "keyid" => key_id: Option<String> = None;
        /// Whether requests are signed by version 4.
        "v4auth" => v4_auth: bool = true;
        /// Size of the parts of an upload, in bytes.
        "chunksize" => chunk_size: Option<u64> = None;
        /// Size of the parts of a copy, in bytes.
        "multipartcopychunksize" => multipart_copy_chunk_size: Option<u64> = None;
        /// Most parts copied at a time.
        "multipartcopymaxconcurrency" => multipart_copy_max_concurrency: Option<u64> = None;
        /// Size from which objects are copied in parts, in bytes.
        "multipartcopythresholdsize" => multipart_copy_threshold_size: Option<u64> = None;
        /// Storage class of new objects.
        "storageclass" => storage_class: Option<String> = None;
        /// Access control list of new objects.
        "objectacl" => object_acl: Option<String> = None;
        /// Whether the service is reached over IPv6 too.
        "usedualstack" => use_dual_stack: bool = false;
        /// Whether the accelerated endpoint is used.
        "accelerate" => accelerate: bool = false;
        /// Whether the endpoint is used whose cryptography is validated by FIPS 140.
        "usefipsendpoint" => use_fips_endpoint: bool = false;
        /// URL that clients are sent to for blobs, where they reach the service under another one than we do.
        "redirectendpoint" => redirect_endpoint: Option<String> = None;
        /// Name the client gives itself.
        "useragent" => user_agent: Option<String> = None;
        /// How much the client logs.
        "loglevel" => log_level: Option<String> = None;
    }
}

/// What S3 takes as a part of an upload that is not the last one, in bytes.
pub const PART_BYTES: RangeInclusive<u64> = 5 << 20..=5 << 30;

impl S3 {
    /// Whether the address of the service is ours to say. Amazon's own follow from the region and are for TLS.
    #[must_use]
    pub fn has_own_endpoint(&self) -> bool {
        !self.secure || self.region_endpoint.as_deref().is_some_and(|endpoint| !endpoint.is_empty())
    }

    /// Names the bucket and what every key begins with: stores with the same are in one place.
    #[must_use]
    pub fn place(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.root_directory.trim_matches('/'))
    }

    pub(super) fn settle(&mut self, path: &KeyPath, report: &Report) {
        // Stores in one place are one store, however their sections write it.
        let root = self.root_directory.trim_matches('/');
        self.root_directory = if root.is_empty() { String::new() } else { format!("/{root}") };
        if self.region_endpoint.is_some() && self.force_path_style.is_none() {
            self.force_path_style = Some(true);
            let message = "is deprecated without `forcepathstyle`, which is now taken to be true";
            report.warning(&path.key("regionendpoint"), message);
        }
    }

    pub(super) fn check(&self, path: &KeyPath, report: &Report) {
        let missing = match (&self.access_key, &self.secret_key) {
            (Some(_), None) => Some(("secretkey", "accesskey")),
            (None, Some(_)) => Some(("accesskey", "secretkey")),
            _ => None,
        };
        if let Some((missing, given)) = missing {
            report.problem(&path.key(missing), format!("must be set because `{given}` is; without both, they are the environment's"));
        }
        if let Some(size) = self.chunk_size.filter(|size| !PART_BYTES.contains(size)) {
            let message = format!("is {size}, S3 takes parts from {} to {} bytes", PART_BYTES.start(), PART_BYTES.end());
            report.problem(&path.key("chunksize"), message);
        }
        let in_header = |byte: u8| byte == b'\t' || (b' '..=b'~').contains(&byte);
        if self.user_agent.as_ref().is_some_and(|name| !name.bytes().all(in_header)) {
            report.problem(&path.key("useragent"), "must be of ASCII without control characters: it is sent in a header");
        }
        self.check_endpoints(path, report);
    }

    fn check_endpoints(&self, path: &KeyPath, report: &Report) {
        let amazons = [("usedualstack", self.use_dual_stack), ("accelerate", self.accelerate), ("usefipsendpoint", self.use_fips_endpoint)];
        for (key, _) in amazons.into_iter().filter(|(_, chosen)| *chosen && self.has_own_endpoint()) {
            report.problem(&path.key(key), "chooses among Amazon's own addresses: exclusive with `regionendpoint`, and needs `secure`");
        }
        if self.accelerate && self.force_path_style == Some(true) {
            report.problem(&path.key("accelerate"), "exclusive with `forcepathstyle`");
        }
        if self.accelerate && self.use_fips_endpoint {
            report.problem(&path.key("accelerate"), "exclusive with `usefipsendpoint`");
        }
        if self.redirect_endpoint.as_deref().is_some_and(|endpoint| !is_origin(endpoint)) {
            let message = "must be a URL with scheme and host and nothing else, such as `https://blobs.example`: the path is the bucket's";
            report.problem(&path.key("redirectendpoint"), message);
        }
    }
}

/// Whether text is a URL of HTTP that names a host and, possibly, a port.
fn is_origin(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    matches!(url.scheme(), "http" | "https") && is_bare && url.username().is_empty() && url.password().is_none()
}
