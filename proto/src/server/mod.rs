//! A registry for other processes.

mod blobs;
mod catalog;
mod manifests;
mod uploads;

use std::sync::Arc;

use futures::stream::BoxStream;
use tonic::service::Routes;
use zot_contract::Registry;

use crate::{
    MESSAGE_BYTES_MAX,
    status::Refusal,
    v1::{
        blob_service_server::BlobServiceServer, catalog_service_server::CatalogServiceServer,
        manifest_service_server::ManifestServiceServer, upload_service_server::UploadServiceServer,
    },
};

/// A stream of messages that are answered.
type Answers<T> = BoxStream<'static, Result<T, Refusal>>;

/// The services that make `registry` one that a [`RemoteRegistry`](crate::RemoteRegistry) can ask. They believe whoever asks about the subject:
/// only processes of the cluster may reach them.
pub fn routes(registry: Arc<dyn Registry>) -> Routes {
    let served = Served { registry };
    Routes::new(BlobServiceServer::new(served.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(UploadServiceServer::new(served.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(ManifestServiceServer::new(served.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(CatalogServiceServer::new(served).max_decoding_message_size(MESSAGE_BYTES_MAX))
}

/// A registry that is served.
#[derive(Clone)]
struct Served {
    registry: Arc<dyn Registry>,
}
