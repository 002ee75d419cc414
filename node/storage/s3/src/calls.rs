//! What was asked of S3, by kind: counted on the wire, so that retries and what the SDK does by itself count too.

use std::sync::atomic::{AtomicU64, Ordering};

use http::{Method, Request};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Requests sent to S3 since the store was opened, tries that failed included.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Calls {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// Counts requests.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $($name: AtomicU64,)*
        }

        impl Counters {
            pub(crate) fn read(&self) -> Calls {
                Calls { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }

        impl Calls {
            /// All of them.
            #[must_use]
            pub fn all(&self) -> u64 {
                [$(self.$name),*].iter().sum()
            }

            /// What was sent after `earlier` was read.
            #[must_use]
            pub fn since(&self, earlier: &Self) -> Self {
                Self { $($name: self.$name - earlier.$name,)* }
            }
        }
    };
}

kinds! {
    /// `PutObject`.
    put,
    /// `GetObject`.
    get,
    /// `HeadObject` and `HeadBucket`.
    head,
    /// `DeleteObject`.
    delete,
    /// `CreateMultipartUpload`.
    create_multipart,
    /// `UploadPart`.
    upload_part,
    /// `CompleteMultipartUpload`.
    complete_multipart,
    /// `AbortMultipartUpload`.
    abort_multipart,
    /// `ListObjectsV2` and `ListMultipartUploads`.
    list,
    /// `CopyObject` and `UploadPartCopy`.
    copy,
    /// Anything else.
    other,
}

impl Counters {
    pub(crate) fn count<B>(&self, request: &Request<B>) {
        self.kind(request).fetch_add(1, Ordering::Relaxed);
    }

    fn kind<B>(&self, request: &Request<B>) -> &AtomicU64 {
        let query = request.uri().query().unwrap_or_default();
        let asks = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
        match *request.method() {
            Method::PUT if request.headers().contains_key("x-amz-copy-source") => &self.copy,
            Method::PUT if asks("partNumber") => &self.upload_part,
            Method::PUT => &self.put,
            Method::HEAD => &self.head,
            Method::GET if asks("list-type") || asks("uploads") || asks("uploadId") => &self.list,
            Method::GET => &self.get,
            Method::DELETE if asks("uploadId") => &self.abort_multipart,
            Method::DELETE => &self.delete,
            Method::POST if asks("uploads") => &self.create_multipart,
            Method::POST if asks("uploadId") => &self.complete_multipart,
            _ => &self.other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(method: Method, uri: &str) -> Calls {
        let counters = Counters::default();
        counters.count(&Request::builder().method(method).uri(uri).body(()).unwrap());
        counters.read()
    }

    #[test]
    fn requests_are_told_apart() {
        let one = |method, uri: &str| counted(method, &format!("http://s3{uri}"));
        assert_eq!(one(Method::PUT, "/b/k?x-id=PutObject"), Calls { put: 1, ..Calls::default() });
        assert_eq!(one(Method::PUT, "/b/k?x-id=UploadPart&partNumber=3&uploadId=u"), Calls { upload_part: 1, ..Calls::default() });
        assert_eq!(one(Method::GET, "/b/k?x-id=GetObject"), Calls { get: 1, ..Calls::default() });
        assert_eq!(one(Method::GET, "/b?list-type=2&prefix=uploads"), Calls { list: 1, ..Calls::default() });
        assert_eq!(one(Method::GET, "/b?uploads"), Calls { list: 1, ..Calls::default() });
        assert_eq!(one(Method::POST, "/b/k?uploads"), Calls { create_multipart: 1, ..Calls::default() });
        assert_eq!(one(Method::POST, "/b/k?uploadId=u"), Calls { complete_multipart: 1, ..Calls::default() });
        assert_eq!(one(Method::DELETE, "/b/k?uploadId=u"), Calls { abort_multipart: 1, ..Calls::default() });
        assert_eq!(one(Method::DELETE, "/b/k"), Calls { delete: 1, ..Calls::default() });
        assert_eq!(one(Method::HEAD, "/b/k").all(), 1);
    }
}
