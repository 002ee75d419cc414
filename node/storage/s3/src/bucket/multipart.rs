//! Objects sent in parts.

use aws_sdk_s3::{
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};
use zot_storage::{Error, Result};

use super::{
    Bucket, Storing,
    failure::{NO_SUCH_UPLOAD, failed},
    is, length,
};
use crate::buffer::Body;

/// An object that is being sent in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Multipart {
    pub(crate) key: String,
    pub(crate) id: String,
}

/// What became of parts that were to be made an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Completion {
    /// They are the object at the key.
    Done,
    /// They are gone: a request to which no answer came may have made them the object, or somebody else has.
    Unsure,
}

impl Bucket {
    /// Begins to send an object in parts.
    pub(crate) async fn create_multipart(&self, key: String) -> Result<Multipart> {
        let Storing { encryption, key_id, class, acl } = self.storing.clone();
        let request = self.client.create_multipart_upload().bucket(&self.name).key(&key);
        let request = request.set_server_side_encryption(encryption).set_ssekms_key_id(key_id).set_storage_class(class).set_acl(acl);
        let act = || format!("begin multipart upload of {key}");
        let created = request.send().await.map_err(|error| failed(act(), error))?;
        let id = created.upload_id.ok_or_else(|| Error::remote(act(), "the answer has no upload id"))?;
        Ok(Multipart { key, id })
    }

    /// Sends the part at `index`, counted from 0. Returns its ETag.
    pub(crate) async fn upload_part(&self, to: &Multipart, index: usize, body: Body) -> Result<String> {
        let act = || format!("upload part {} of {}", index + 1, to.key);
        let request = self.client.upload_part().bucket(&self.name).key(&to.key).upload_id(&to.id).part_number(number(index));
        let request = request.content_length(length(body.len())).body(ByteStream::new(body.into_sdk())).customize();
        let sent = request.disable_payload_signing().send().await.map_err(|error| failed(act(), error))?;
        sent.e_tag.ok_or_else(|| Error::remote(act(), "the answer has no ETag"))
    }

    /// Makes the parts an object. S3 refuses if a part is not the one with the given ETag.
    pub(crate) async fn complete_multipart(&self, to: &Multipart, etags: impl Iterator<Item = String>) -> Result<Completion> {
        let part = |(index, etag)| CompletedPart::builder().part_number(number(index)).e_tag(etag).build();
        let parts = CompletedMultipartUpload::builder().set_parts(Some(etags.enumerate().map(part).collect())).build();
        let request = self.client.complete_multipart_upload().bucket(&self.name).key(&to.key).upload_id(&to.id).multipart_upload(parts);
        match request.send().await {
            Ok(_) => Ok(Completion::Done),
            Err(error) if is(&error, 404, NO_SUCH_UPLOAD) => Ok(Completion::Unsure),
            Err(error) => Err(failed(format!("complete multipart upload of {}", to.key), error)),
        }
    }

    /// Drops what was sent, unless it was completed or dropped before.
    pub(crate) async fn abort_multipart(&self, to: &Multipart) -> Result<()> {
        match self.client.abort_multipart_upload().bucket(&self.name).key(&to.key).upload_id(&to.id).send().await {
            Err(error) if !is(&error, 404, NO_SUCH_UPLOAD) => Err(failed(format!("abort multipart upload of {}", to.key), error)),
            _ => Ok(()),
        }
    }
}

/// Part numbers begin with 1.
fn number(index: usize) -> i32 {
    i32::try_from(index + 1).unwrap_or(i32::MAX)
}
