//! Error codes of the distribution specification ("Error Codes") with the message that goes with each.

macro_rules! error_codes {
    ($($variant:ident, $code:literal, $message:literal;)*) => {
        /// A machine-readable reason for a refusal.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(#[doc = $message] $variant,)*
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The code as the specification spells it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// The message for people that goes with the code.
            pub fn message(self) -> &'static str {
                match self { $(Self::$variant => $message),* }
            }
        }
    };
}

error_codes! {
    BlobUnknown, "BLOB_UNKNOWN", "blob unknown to registry";
    BlobUploadInvalid, "BLOB_UPLOAD_INVALID", "blob upload invalid";
    BlobUploadUnknown, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry";
    DigestInvalid, "DIGEST_INVALID", "provided digest did not match uploaded content";
    ManifestBlobUnknown, "MANIFEST_BLOB_UNKNOWN", "manifest references a manifest or blob unknown to registry";
    ManifestInvalid, "MANIFEST_INVALID", "manifest invalid";
    ManifestUnknown, "MANIFEST_UNKNOWN", "manifest unknown to registry";
    NameInvalid, "NAME_INVALID", "invalid repository name";
    NameUnknown, "NAME_UNKNOWN", "repository name not known to registry";
    SizeInvalid, "SIZE_INVALID", "provided length did not match content length";
    Unauthorized, "UNAUTHORIZED", "authentication required";
    Denied, "DENIED", "requested access to the resource is denied";
    Unsupported, "UNSUPPORTED", "the operation is unsupported";
    TooManyRequests, "TOOMANYREQUESTS", "too many requests";
}
