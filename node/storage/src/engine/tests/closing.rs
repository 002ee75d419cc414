//! The end of an engine whose stores do not answer.

use std::time::Duration;

use tokio::time::Instant;

use super::{finishing::FailingMetadata, *};
use crate::{layouts::MemoryLayouts, projection::Projector};

#[tokio::test(start_paused = true)]
async fn stores_that_never_answer_are_waited_for_no_longer_than_they_may_take_together() {
    let metadata: Arc<dyn Metadata> = Arc::new(FailingMetadata { hangs: true, ..FailingMetadata::default() });
    let blobs: Arc<dyn BlobStore> = Arc::<MemoryBlobs>::default();
    let projector = Projector::new(Arc::clone(&metadata), Arc::clone(&blobs), Arc::<MemoryLayouts>::default(), None);
    let engine = Engine::new(metadata, blobs, Arc::<MemorySessions>::default(), true).with_projector(Arc::new(projector));
    let begun = Instant::now();
    engine.close(Duration::from_secs(10)).await.unwrap_err();
    assert_eq!(begun.elapsed().as_secs(), 10);
}
