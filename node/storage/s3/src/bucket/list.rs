//! What is in the bucket: for work in the background only, as it costs a request a thousand names.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::types::Object;
use aws_smithy_async::time::TimeSource as _;
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

/// Some multipart uploads, and after which one there are more, if there are.
#[derive(Debug)]
pub(crate) struct MultipartsPage {
    pub(crate) listed: Vec<Listed<Multipart>>,
    pub(crate) next: Option<Multipart>,
}

impl<T> Listed<T> {
    /// Whether it had been there for `age` at a time, which is to be one before it was listed: afterwards this process may have been stopped.
    pub(crate) fn is_older_than(&self, age: Duration, at: SystemTime) -> bool {
        self.since.is_some_and(|since| at.duration_since(since).is_ok_and(|found| found >= age))
    }
}

impl Bucket {
    /// Shows every object whose key begins with `prefix`, in the order of their keys.
    pub(crate) async fn visit(&self, prefix: &str, mut visit: impl FnMut(Listed<String>) + Send) -> Result<()> {
        let mut pages = self.client.list_objects_v2().bucket(&self.name).prefix(prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failed(format!("list objects {prefix}*"), error))?;
            page.contents.unwrap_or_default().into_iter().filter_map(listed).for_each(&mut visit);
        }
        Ok(())
    }

    /// The objects whose keys begin with `prefix`, in the order of their keys.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<Listed<String>>> {
        let mut listed = Vec::new();
        self.visit(prefix, |object| listed.push(object)).await?;
        Ok(listed)
    }

    /// The time by the clock of S3: this machine's may be anywhere.
    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Up to `limit` objects whose keys begin with `prefix` and come after `after`, in the order of their keys. There are more if it is full.
    pub(crate) async fn page(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Listed<String>>> {
        let mut page = Vec::new();
        let mut after = after.map(str::to_owned);
        loop {
            let request = self.client.list_objects_v2().bucket(&self.name).prefix(prefix).set_start_after(after);
            let answer = request.send().await.map_err(|error| failed(format!("list objects {prefix}*"), error))?;
            let found = page.len();
            page.extend(answer.contents.unwrap_or_default().into_iter().filter_map(listed));
            page.truncate(limit);
            // A server that promises more and gives nothing is not asked for ever.
            if page.len() == limit || page.len() == found || answer.is_truncated != Some(true) {
                return Ok(page);
            }
            after = page.last().map(|last| last.what.clone());
        }
    }

    /// The multipart uploads under way whose keys begin with `prefix`.
    pub(crate) async fn list_multiparts(&self, prefix: &str) -> Result<Vec<Listed<Multipart>>> {
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = self.multiparts_page(prefix, after).await?;
            listed.extend(page.listed);
            after = page.next;
            if after.is_none() {
                return Ok(listed);
            }
        }
    }

    /// A thousand of them at most, those that come after `after`.
    pub(crate) async fn multiparts_page(&self, prefix: &str, after: Option<Multipart>) -> Result<MultipartsPage> {
        let (key, id) = after.map(|after| (after.key, after.id)).unzip();
        let request = self.client.list_multipart_uploads().bucket(&self.name).prefix(prefix);
        let answer = request.set_key_marker(key).set_upload_id_marker(id).send().await;
        let answer = answer.map_err(|error| failed(format!("list multipart uploads {prefix}*"), error))?;
        let next = answer.next_key_marker.zip(answer.next_upload_id_marker).map(|(key, id)| Multipart { key, id });
        let uploads = answer.uploads.unwrap_or_default().into_iter();
        let listed: Vec<_> = uploads
            .filter_map(|upload| {
                let since = upload.initiated.and_then(|time| time.try_into().ok());
                upload.key.zip(upload.upload_id).map(|(key, id)| Listed { what: Multipart { key, id }, since, size: 0 })
            })
            .collect();
        // A server that promises more and gives nothing is not asked for ever.
        let next = next.filter(|_| answer.is_truncated == Some(true) && !listed.is_empty());
        Ok(MultipartsPage { listed, next })
    }
}

fn listed(object: Object) -> Option<Listed<String>> {
    let since = object.last_modified.and_then(|time| time.try_into().ok());
    let size = object.size.and_then(|size| size.try_into().ok()).unwrap_or_default();
    object.key.map(|what| Listed { what, since, size })
}
