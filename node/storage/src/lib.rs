//! The storage engine over two ports, blobs and metadata.
