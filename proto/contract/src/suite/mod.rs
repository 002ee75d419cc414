//! The suite: the contract as a program. Whoever holds a registry, wraps one or reaches one over a wire runs it against a fresh registry a test.
//!
//! ```text
//! #[tokio::test(flavor = "multi_thread")]
//! async fn the_engine_keeps_the_contract() {
//!     suite::registry_suite(async || {
//!         let directory = tempfile::tempdir().unwrap();
//!         let engine = Engine::open(directory.path()).await.unwrap();
//!         suite::Fixture::new(engine).keep(directory)
//!     })
//!     .await;
//! }
//! ```
#![expect(clippy::unwrap_used, clippy::panic, reason = "this is test code, which other crates' tests can only reach as a library")]

pub mod body;
mod client;
pub mod content;

/// Asserts that a call was refused with an error of the given shape.
macro_rules! assert_refused {
    ($call:expr, $pattern:pat) => {
        match $call {
            Err($pattern) => {}
            other => panic!("expected {}, found {other:?}", stringify!($pattern)),
        }
    };
}

mod blobs;
mod catalog;
mod concurrency;
mod manifests;
mod operations;
mod paging;
mod referrers;
mod tags;
mod uploads;
mod users;
mod writers;

use std::{any::Any, fmt, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{FutureExt as _, future::BoxFuture};

pub use client::Client;

use crate::Registry;

/// A test that takes longer hangs. Generous, because nothing here measures speed.
const HANG: Duration = Duration::from_secs(120);

/// A fresh registry for one test, with whatever must live as long as it.
pub struct Fixture {
    registry: Arc<dyn Registry>,
    kept: Vec<Box<dyn Any>>,
}

impl Fixture {
    /// A fixture of a registry that needs nothing else.
    pub fn new(registry: impl Registry + 'static) -> Self {
        Self::shared(Arc::new(registry))
    }

    /// A fixture of a registry that others hold too.
    pub fn shared(registry: Arc<dyn Registry>) -> Self {
        Self { registry, kept: Vec::new() }
    }

    /// Keeps `guard`, such as a temporary directory or a running server, until the test is over and the registry dropped.
    pub fn keep(mut self, guard: impl Any) -> Self {
        self.kept.push(Box::new(guard));
        self
    }
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture").field("registry", &self.registry).field("kept", &self.kept.len()).finish()
    }
}

/// One sentence of the contract.
#[derive(Clone, Copy)]
pub struct Test {
    /// The sentence, as `role::what_holds`.
    pub name: &'static str,
    run: fn(Arc<dyn Registry>) -> BoxFuture<'static, ()>,
}

impl Test {
    /// Runs the test, which panics where the sentence does not hold.
    pub async fn run(&self, fixture: Fixture) {
        (self.run)(fixture.registry).await;
        drop(fixture.kept);
    }
}

impl fmt::Debug for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Runs every test, each against a registry of its own, then panics with the names of those that failed.
pub async fn registry_suite(make: impl AsyncFn() -> Fixture) {
    let mut failed = Vec::new();
    for test in TESTS {
        let run = AssertUnwindSafe(test.run(make().await)).catch_unwind();
        match tokio::time::timeout(HANG, run).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => failed.push(test.name.to_owned()),
            Err(_) => failed.push(format!("{} (hangs)", test.name)),
        }
    }
    assert!(failed.is_empty(), "{} of {} tests failed: {}", failed.len(), TESTS.len(), failed.join(", "));
}

macro_rules! tests {
    ($($role:ident { $($test:ident,)* })*) => {
        /// Every test of the suite.
        pub const TESTS: &[Test] = &[$($(Test {
            name: concat!(stringify!($role), "::", stringify!($test)),
            run: |registry| $role::$test(registry).boxed(),
        },)*)*];
    };
}

tests! {
    blobs {
        a_blob_is_read_as_it_was_pushed,
        a_blob_is_read_in_pieces,
        a_range_is_read_alone,
        a_whole_blob_is_fetched_here_or_elsewhere,
        only_what_a_repository_has_is_fetched,
        an_unknown_blob_and_an_unknown_repository_are_told_apart,
        existence_is_a_fact_of_one_repository,
        a_manifest_can_be_read_as_a_blob,
        a_mounted_blob_is_in_both_repositories,
        a_mounted_blob_outlives_its_source,
        mounting_what_the_source_lacks_changes_nothing,
        mounting_without_a_source_finds_one_or_changes_nothing,
        mounting_what_is_there_already_succeeds,
        a_deleted_blob_is_gone_from_its_repository_alone,
        a_deleted_blob_can_be_pushed_again,
        a_blob_that_a_manifest_needs_cannot_be_deleted,
    }
    uploads {
        a_blob_goes_up_in_one_piece,
        a_blob_goes_up_in_chunks,
        a_blob_goes_up_as_a_stream_of_unknown_length,
        the_empty_blob_is_a_blob,
        every_algorithm_is_computed,
        the_algorithm_may_change_at_the_end,
        content_of_another_digest_is_discarded_with_its_upload,
        a_chunk_at_the_wrong_offset_changes_nothing,
        a_broken_body_keeps_what_arrived,
        a_broken_last_chunk_keeps_what_arrived,
        an_upload_belongs_to_its_subject,
        an_upload_belongs_to_its_repository,
        an_unfinished_upload_is_no_blob,
        a_finished_upload_is_over,
        a_cancelled_upload_is_over,
        the_same_content_can_go_up_twice,
    }
    writers {
        a_second_writer_is_refused,
        a_second_writer_at_the_end_does_not_interleave,
        an_abandoned_request_lets_the_next_one_in,
        of_many_writers_one_wins,
        of_many_writers_at_the_end_none_interleave,
        of_many_who_finish_one_does,
    }
    manifests {
        a_manifest_is_served_as_it_was_pushed,
        a_manifest_keeps_its_media_type,
        every_algorithm_identifies_a_manifest,
        an_unknown_manifest_and_an_unknown_repository_are_told_apart,
        a_manifest_is_in_one_repository,
        what_is_not_a_manifest_is_refused,
        bytes_of_another_digest_are_refused,
        config_and_layers_must_be_there,
        config_and_layers_have_the_size_that_is_said,
        a_blob_of_another_repository_does_not_count,
        layers_that_live_elsewhere_need_not_be_there,
        a_manifest_counts_as_a_blob,
        children_of_an_index_may_be_absent,
        a_deleted_manifest_is_gone_with_its_tags,
        a_child_of_an_index_cannot_be_deleted,
        a_deleted_manifest_can_be_pushed_again,
    }
    operations {
        a_push_that_was_made_is_not_made_again,
        a_tag_that_was_made_by_an_attempt_is_none_that_was_there,
        a_deletion_that_was_made_is_not_made_again,
        a_change_that_was_refused_again_is_not_made_later,
        a_chunk_that_is_sent_again_is_part_of_the_upload_once,
    }
    tags {
        a_manifest_may_have_many_tags,
        a_manifest_may_have_no_tag,
        a_tag_moves_to_what_was_pushed_last,
        pushing_again_keeps_other_tags,
        deleting_a_tag_keeps_the_manifest,
        a_tag_of_a_child_can_be_deleted,
        an_emptied_repository_has_no_tags,
        a_repository_without_manifests_has_no_tags,
        an_unknown_repository_has_no_list_of_tags,
        a_tag_that_is_there_is_not_made_again,
        a_tag_that_is_not_there_is_not_moved,
        each_tag_of_a_push_has_a_rule_of_its_own,
        a_manifest_of_many_tags_is_deleted_only_if_that_is_meant,
    }
    referrers {
        a_push_names_its_subject,
        annotations_may_be_as_large_as_a_manifest,
        referrers_are_listed_in_order,
        referrers_come_in_pages,
        a_page_of_referrers_has_a_size,
        a_referrer_larger_than_a_page_is_alone_on_one,
        a_referrer_is_described,
        the_artifact_type_of_an_image_is_its_configs,
        an_index_can_refer,
        the_subject_may_be_absent,
        referrers_belong_to_one_repository,
        a_deleted_referrer_is_not_listed,
        nobody_refers_to_the_unknown,
    }
    catalog {
        a_repository_is_listed_once_it_had_a_manifest,
        an_emptied_repository_stays_listed,
        a_refused_manifest_lists_no_repository,
    }
    users {
        a_record_is_found_as_it_was_saved,
        nothing_is_known_of_others,
        only_what_was_found_is_replaced,
        the_largest_record_fits_and_a_larger_one_does_not,
        of_many_savers_no_change_is_lost,
    }
    paging {
        tags_come_in_bytewise_order,
        repositories_come_in_bytewise_order,
        a_page_may_start_after_what_does_not_exist,
        a_page_may_ask_for_nothing_or_everything,
        tags_page_like_a_sorted_set,
        repositories_page_like_a_sorted_set,
    }
    concurrency {
        no_tag_of_one_repository_is_lost,
        one_tag_ends_at_one_of_the_pushed,
        a_tag_never_goes_back,
        one_blob_can_be_pushed_by_many,
        one_blob_can_go_to_many_repositories,
        one_manifest_can_be_pushed_by_many,
        of_many_who_may_only_make_a_tag_one_does,
        no_tag_dangles_when_its_manifest_is_deleted,
        no_manifest_lacks_a_blob_that_is_deleted,
        what_stays_is_on_a_page,
    }
}
