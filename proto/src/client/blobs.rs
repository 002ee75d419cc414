//! Blobs of another process. What is read is counted: less than was asked for is an error, however the stream ended.

use bytes::Bytes;
use futures::stream;
use tokio::time::timeout;
use tonic::Streaming;
use zot_contract::{BlobBody, BlobInfo, Blobs, Context, Error, Fetched, Result};
use zot_oci::{ByteRange, Digest, RepositoryName};

use super::{READ_IDLE_MAX, RemoteRegistry};
use crate::{
    convert::{Malformed, parse},
    status,
    v1::{self, read_blob_response::Part},
};

#[async_trait::async_trait]
impl Blobs for RemoteRegistry {
    async fn stat_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<BlobInfo> {
        let message = v1::StatBlobRequest { context: Some(cx.into()), repository: repository.to_string(), digest: digest.to_string() };
        Ok(self.answer(self.blobs().stat_blob(self.request(message))).await?.into())
    }

    async fn read_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest, range: Option<ByteRange>) -> Result<BlobBody> {
        let message = v1::ReadBlobRequest {
            context: Some(cx.into()),
            repository: repository.to_string(),
            digest: digest.to_string(),
            range: range.map(Into::into),
            elsewhere: false,
        };
        if let Some(answer) = self.lanes.read_blob(&message).await {
            return match answer? {
                Fetched::Here(body) => Ok(body),
                Fetched::Elsewhere(_) => Err(Malformed::Order { expected: "the header of a blob" }.into()),
            };
        }
        match self.begin(message).await? {
            (Some(Part::Header(v1::ReadBlobHeader { size })), parts) => Ok(body(size, range.map_or(size, ByteRange::length), parts)),
            _ => Err(Malformed::Order { expected: "the header of a blob" }.into()),
        }
    }

    async fn fetch_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<Fetched> {
        let message = v1::ReadBlobRequest {
            context: Some(cx.into()),
            repository: repository.to_string(),
            digest: digest.to_string(),
            range: None,
            elsewhere: true,
        };
        if let Some(answer) = self.lanes.read_blob(&message).await {
            return answer;
        }
        match self.begin(message).await? {
            (Some(Part::Header(v1::ReadBlobHeader { size })), parts) => Ok(Fetched::Here(body(size, size, parts))),
            (Some(Part::Elsewhere(v1::BlobElsewhere { url })), _) => Ok(Fetched::Elsewhere(parse("URL of a blob", &url)?)),
            _ => Err(Malformed::Order { expected: "the header of a blob, or where it is" }.into()),
        }
    }

    async fn mount_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest, from: Option<&RepositoryName>) -> Result<bool> {
        let message = v1::MountBlobRequest {
            context: Some(cx.into()),
            repository: repository.to_string(),
            digest: digest.to_string(),
            from: from.map(ToString::to_string),
        };
        Ok(self.answer(self.blobs().mount_blob(self.request(message))).await?.mounted)
    }

    async fn delete_blob(&self, cx: &Context, repository: &RepositoryName, digest: &Digest) -> Result<()> {
        let message = v1::DeleteBlobRequest { context: Some(cx.into()), repository: repository.to_string(), digest: digest.to_string() };
        self.answer(self.blobs().delete_blob(self.request(message))).await.map(|v1::DeleteBlobResponse {}| ())
    }
}

type Parts = Streaming<v1::ReadBlobResponse>;

impl RemoteRegistry {
    /// Asks for a blob. The first part of the answer, and those to come.
    async fn begin(&self, message: v1::ReadBlobRequest) -> Result<(Option<Part>, Parts)> {
        let mut client = self.blob_streams();
        let call = timeout(READ_IDLE_MAX, client.read_blob(message)).await;
        let answer = call.map_err(|_| status::overdue(READ_IDLE_MAX))?.map_err(|refusal| status::error(&refusal))?;
        let mut parts = answer.into_inner();
        Ok((next(&mut parts).await?, parts))
    }
}

/// A blob of `size` bytes, of which `missing` are to come.
fn body(size: u64, missing: u64, parts: Parts) -> BlobBody {
    BlobBody::new(size, stream::try_unfold((parts, missing), piece))
}

/// The next part, or nothing at the end of the stream.
async fn next(parts: &mut Parts) -> Result<Option<Part>> {
    let message = timeout(READ_IDLE_MAX, parts.message()).await.map_err(|_| status::overdue(READ_IDLE_MAX))?;
    match message.map_err(|refusal| status::error(&refusal))? {
        Some(v1::ReadBlobResponse { part: Some(part) }) => Ok(Some(part)),
        Some(v1::ReadBlobResponse { part: None }) => Err(Malformed::Missing { field: "part of a blob" }.into()),
        None => Ok(None),
    }
}

/// The next piece of a blob of which so many bytes are still missing.
async fn piece((mut parts, missing): (Parts, u64)) -> Result<Option<(Bytes, (Parts, u64))>> {
    match next(&mut parts).await? {
        Some(Part::Data(data)) => {
            let missing = missing.checked_sub(data.len() as u64).ok_or_else(|| Error::internal("more came than was asked for"))?;
            Ok(Some((data, (parts, missing))))
        }
        Some(Part::Header(_) | Part::Elsewhere(_)) => Err(Malformed::Order { expected: "data" }.into()),
        None if missing == 0 => Ok(None),
        None => Err(status::broke_off()),
    }
}
