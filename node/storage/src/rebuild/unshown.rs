//! What rows hold that image layouts do not show yet: it is shown before a rebuild throws the rows away.

use std::{io::ErrorKind, panic::AssertUnwindSafe, sync::Arc};

use futures::FutureExt;

use crate::{Error, Result, blobs::BlobStore, error::chain, layouts::Layouts, metadata::Metadata, projection::Projector};

/// Brings image layouts up to date with rows, whichever process would do it, while no process serves.
///
/// Rows that are damaged are why there are rebuilds: what they held goes, and the log says so. Whatever else is in the way is an error, as it can be
/// put right first.
pub async fn show_all(
    metadata: impl Future<Output = Result<Arc<dyn Metadata>>>,
    blobs: Arc<dyn BlobStore>,
    layouts: Arc<dyn Layouts>,
) -> Result<()> {
    let showing = async {
        let metadata = metadata.await?;
        let shown = Projector::new(metadata.clone(), blobs, layouts, None).project_all().await;
        shown.and(metadata.close().await)
    };
    // What is damaged may be found so in any way.
    let shown = AssertUnwindSafe(showing).catch_unwind().await;
    match shown.unwrap_or_else(|_| Err(Error::damaged("metadata", "reading it panicked"))) {
        Err(error) if is_damage(&error) => {
            let error = chain(&error);
            tracing::warn!(error, "metadata is damaged: what was pushed or deleted in the seconds before may be as it was before that");
            Ok(())
        }
        shown => shown,
    }
}

/// Whether rows cannot be read, or speak of bytes that are not there.
fn is_damage(error: &Error) -> bool {
    match error {
        Error::Damaged { .. } | Error::Metadata { .. } | Error::OpenMetadata { .. } | Error::MetadataClosed => true,
        Error::File { source, .. } => source.kind() == ErrorKind::NotFound,
        Error::Remote { .. } | Error::Unavailable { .. } | Error::InUse { .. } | Error::Interrupted(_) => false,
    }
}
