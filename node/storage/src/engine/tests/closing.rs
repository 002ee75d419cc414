//! The end of an engine whose stores do not answer.

use std::time::Duration;

use super::{finishing::FailingMetadata, *};

/// It ends all the same: this test would never.
#[tokio::test]
async fn a_store_that_never_closes_is_not_waited_for_without_end() {
    let metadata = FailingMetadata { hangs: true, ..FailingMetadata::default() };
    let engine = Engine::new(Arc::new(metadata), Arc::<MemoryBlobs>::default(), Arc::<MemorySessions>::default(), true);
    engine.close(Duration::from_millis(10)).await.unwrap_err();
}
