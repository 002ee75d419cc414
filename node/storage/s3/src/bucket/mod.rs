//! One bucket: every request that is ever made of S3, with what goes with it.

mod failure;
mod list;
mod multipart;

use std::{sync::Arc, time::Duration};

use aws_sdk_s3::{
    Client,
    operation::{get_object::GetObjectOutput, head_bucket::HeadBucketError},
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::{ObjectCannedAcl, ServerSideEncryption, StorageClass},
};
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::{
    client::{
        orchestrator::{HttpRequest, HttpResponse},
        result::SdkError,
    },
    http::HttpError,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use zot_aws::Clock;
use zot_oci::ByteRange;
use zot_storage::{Error, Result};

use crate::{buffer::Body, calls::Counters};
use failure::failed;
pub(crate) use failure::{is, is_gone};
pub(crate) use list::Listed;
pub(crate) use multipart::{Completion, Multipart};

/// How objects are stored.
#[derive(Debug, Clone, Default)]
pub(crate) struct Storing {
    pub(crate) encryption: Option<ServerSideEncryption>,
    pub(crate) key_id: Option<String>,
    pub(crate) class: Option<StorageClass>,
    pub(crate) acl: Option<ObjectCannedAcl>,
}

/// A bucket; a clone is another handle on the same.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    pub(crate) client: Client,
    pub(crate) name: String,
    pub(crate) storing: Storing,
    /// Scheme, host and port that clients reach the bucket at, if they are others than ours.
    pub(crate) links: Option<String>,
    pub(crate) counters: Arc<Counters>,
    /// What requests and URLs are signed with.
    pub(crate) clock: Clock,
}

/// An object that is being read: its size, and the bytes asked for.
pub(crate) struct Found {
    pub(crate) size: u64,
    pub(crate) body: SdkBody,
}

impl Bucket {
    /// Asks whether the bucket is there and may be used.
    pub(crate) async fn check(&self) -> std::result::Result<(), SdkError<HeadBucketError, HttpResponse>> {
        self.client.head_bucket().bucket(&self.name).send().await.map(drop)
    }

    /// Stores an object.
    pub(crate) async fn put(&self, key: &str, body: Body) -> Result<()> {
        let Storing { encryption, key_id, class, acl } = self.storing.clone();
        let request = self.client.put_object().bucket(&self.name).key(key).content_length(length(body.len()));
        let request = request.set_server_side_encryption(encryption).set_ssekms_key_id(key_id).set_storage_class(class).set_acl(acl);
        // The content was hashed while it arrived. Signing it would hash it again.
        let request = request.body(ByteStream::new(body.into_sdk())).customize().disable_payload_signing();
        request.send().await.map(drop).map_err(|error| failed(format!("put object {key}"), error))
    }

    /// Stores an object that is at hand.
    pub(crate) async fn put_bytes(&self, key: &str, bytes: Bytes) -> Result<()> {
        self.put(key, Body::from(bytes)).await
    }

    /// An object's size, if it is there.
    pub(crate) async fn size(&self, key: &str) -> Result<Option<u64>> {
        match self.client.head_object().bucket(&self.name).key(key).send().await {
            Ok(head) => Ok(head.content_length().and_then(|length| length.try_into().ok())),
            Err(error) if is(&error, 404, "NotFound") => self.absent(key).await,
            Err(error) => Err(failed(format!("head object {key}"), error)),
        }
    }

    /// The answer to `HEAD` has no words: where the bucket itself is missing, nothing is known about the object.
    async fn absent(&self, key: &str) -> Result<Option<u64>> {
        self.check().await.map(|()| None).map_err(|error| failed(format!("head object {key}"), error))
    }

    /// Begins to read an object, if it is there and has the range.
    pub(crate) async fn get(&self, key: &str, range: Option<ByteRange>) -> Result<Option<Found>> {
        let asked = range.map(|range| format!("bytes={}-{}", range.first(), range.last()));
        match self.client.get_object().bucket(&self.name).key(key).set_range(asked).send().await {
            Ok(answer) => found(key, &answer, range).map(|size| Some(Found { size, body: answer.body.into_inner() })),
            Err(error) if is(&error, 404, "NoSuchKey") || is(&error, 416, "InvalidRange") => Ok(None),
            Err(error) => Err(failed(format!("get object {key}"), error)),
        }
    }

    /// Removes an object, if it is there.
    pub(crate) async fn delete(&self, key: &str) -> Result<()> {
        match self.client.delete_object().bucket(&self.name).key(key).send().await {
            Err(error) if !is(&error, 404, "NoSuchKey") => Err(failed(format!("delete object {key}"), error)),
            _ => Ok(()),
        }
    }

    /// A URL under which anybody may read an object for a time. Nothing is sent.
    pub(crate) async fn presigned(&self, key: &str, valid_for: Duration) -> Result<String> {
        let act = || format!("sign a URL of object {key}");
        // The SDK asks the client's clock for requests only.
        let signing = PresigningConfig::builder().start_time(self.clock.now()).expires_in(valid_for).build();
        let signing = signing.map_err(|error| Error::remote(act(), error))?;
        let request = self.client.get_object().bucket(&self.name).key(key);
        let signed = match self.links.clone() {
            None => request.presigned(signing).await,
            // Before it is signed: the signature is for one host.
            Some(links) => request.customize().map_request(move |request| at(request, &links)).presigned(signing).await,
        };
        signed.map(|request| request.uri().to_owned()).map_err(|error| failed(act(), error))
    }
}

/// The request as it is made of another host.
fn at(mut request: HttpRequest, endpoint: &str) -> std::result::Result<HttpRequest, HttpError> {
    request.uri_mut().set_endpoint(endpoint)?;
    Ok(request)
}

/// The size of the whole object that an answer is about.
fn found(key: &str, answer: &GetObjectOutput, range: Option<ByteRange>) -> Result<u64> {
    let size = match answer.content_range() {
        Some(range) => range.rsplit('/').next().and_then(|total| total.parse().ok()),
        // The whole object in answer to a range must not be taken for a part of it.
        None => answer
            .content_length()
            .and_then(|length| length.try_into().ok())
            .filter(|size: &u64| range.is_none_or(|range| range.first() == 0 && *size <= range.length())),
    };
    size.ok_or_else(|| Error::remote(format!("get object {key}"), "the answer does not tell which bytes it has"))
}

/// A length as the SDK wants it.
fn length(bytes: u64) -> i64 {
    bytes.try_into().unwrap_or(i64::MAX)
}
