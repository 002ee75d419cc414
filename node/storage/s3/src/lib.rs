//! Bytes in a bucket of S3.
