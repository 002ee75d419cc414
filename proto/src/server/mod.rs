//! A registry, and a node's part of the cluster, for other processes.

mod blobs;
mod catalog;
mod cluster;
mod manifests;
mod uploads;
mod users;

use std::sync::Arc;

use futures::stream::BoxStream;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use zot_contract::Registry;

use self::cluster::ServedCluster;
use crate::{
    MESSAGE_BYTES_MAX, Services,
    status::Refusal,
    v1::{
        blob_service_server::BlobServiceServer, catalog_service_server::CatalogServiceServer, cluster_service_server::ClusterServiceServer,
        manifest_service_server::ManifestServiceServer, upload_service_server::UploadServiceServer, user_service_server::UserServiceServer,
    },
};

pub(crate) use self::cluster::VIEW_REPEATED_EVERY;

/// A stream of messages that are answered.
type Answers<T> = BoxStream<'static, Result<T, Refusal>>;

/// The services, which believe whoever asks about the subject: only processes of the cluster may reach them. What has no end of its own ends
/// with `stop`.
pub(crate) fn routes(services: Services, stop: &CancellationToken) -> Routes {
    let content = content(services.registry);
    let Some(plane) = services.cluster else {
        return content;
    };
    let served = ServedCluster { plane, stop: stop.clone() };
    content.add_service(ClusterServiceServer::new(served).max_decoding_message_size(MESSAGE_BYTES_MAX))
}

fn content(registry: Arc<dyn Registry>) -> Routes {
    let served = Served { registry };
    Routes::new(BlobServiceServer::new(served.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(UploadServiceServer::new(served.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(ManifestServiceServer::new(served.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(UserServiceServer::new(served.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX))
        .add_service(CatalogServiceServer::new(served).max_decoding_message_size(MESSAGE_BYTES_MAX))
}

/// A registry that is served.
#[derive(Clone)]
struct Served {
    registry: Arc<dyn Registry>,
}
