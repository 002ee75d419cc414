//! What is in the bucket: for work in the background only, as it costs a request a thousand names.

use std::time::SystemTime;

use zot_storage::Result;

use super::{Bucket, Multipart, failure::failed};

/// Something listed.
#[derive(Debug)]
pub(crate) struct Listed<T> {
    pub(crate) what: T,
    /// When it was written or begun, where S3 says so.
    pub(crate) since: Option<SystemTime>,
    /// Its size in bytes, where it has one.
    pub(crate) size: u64,
}

impl Bucket {
    /// Shows every object whose key begins with `prefix`, in the order of their keys.
    pub(crate) async fn visit(&self, prefix: &str, mut visit: impl FnMut(Listed<String>) + Send) -> Result<()> {
        let mut pages = self.client.list_objects_v2().bucket(&self.name).prefix(prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failed(format!("list objects {prefix}*"), error))?;
            for object in page.contents.unwrap_or_default() {
                let since = object.last_modified.and_then(|time| time.try_into().ok());
                let size = object.size.and_then(|size| size.try_into().ok()).unwrap_or_default();
                if let Some(what) = object.key {
                    visit(Listed { what, since, size });
                }
            }
        }
        Ok(())
    }

    /// The objects whose keys begin with `prefix`, in the order of their keys.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<Listed<String>>> {
        let mut listed = Vec::new();
        self.visit(prefix, |object| listed.push(object)).await?;
        Ok(listed)
    }

    /// The multipart uploads under way whose keys begin with `prefix`.
    pub(crate) async fn list_multiparts(&self, prefix: &str) -> Result<Vec<Listed<Multipart>>> {
        let (mut listed, mut after) = (Vec::new(), None::<Multipart>);
        loop {
            let (key, id) = after.map(|after| (after.key, after.id)).unzip();
            let request = self.client.list_multipart_uploads().bucket(&self.name).prefix(prefix);
            let page = request.set_key_marker(key).set_upload_id_marker(id).send().await;
            let page = page.map_err(|error| failed(format!("list multipart uploads {prefix}*"), error))?;
            after = page.next_key_marker.zip(page.next_upload_id_marker).map(|(key, id)| Multipart { key, id });
            let found = listed.len();
            for upload in page.uploads.unwrap_or_default() {
                let since = upload.initiated.and_then(|time| time.try_into().ok());
                let what = upload.key.zip(upload.upload_id).map(|(key, id)| Multipart { key, id });
                listed.extend(what.map(|what| Listed { what, since, size: 0 }));
            }
            // A server that promises more and gives nothing is not asked for ever.
            if page.is_truncated != Some(true) || after.is_none() || listed.len() == found {
                return Ok(listed);
            }
        }
    }
}
