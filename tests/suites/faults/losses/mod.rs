//! What users see while something is lost or wrong: a row for each loss, a cell for each thing that they do.
//!
//! `tests/losses` runs them and prints the table as Markdown. Each row has a cluster of its own over the servers that all tests share; what goes
//! wrong is put between the two. Nothing that was acknowledged may be missing afterwards, and everything works again without a human.

mod cells;
mod clean_up;
mod loss;
mod row;

use self::{
    cells::Expected::{Denied, Refused, Served, ServedInTheEnd},
    clean_up::CleanUp::{Fails, Rests, Runs},
    loss::Loss,
    row::row,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_down() {
    row(Loss::RedisDown, [Served, Served, Served, Served, Refused], Fails).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_emptied() {
    row(Loss::RedisEmptied, [Served, Served, Served, Served, Served], Runs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dynamodb_throttles() {
    row(Loss::DynamoDbThrottles, [Served, Served, Served, Served, Served], Runs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dynamodb_is_down() {
    // Whether a session was ended from elsewhere is in the record of its user.
    row(Loss::DynamoDbDown, [Refused, Refused, Refused, Refused, Refused], Fails).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_fails_one_request_in_ten() {
    row(Loss::S3Fails, [Served, Served, Served, Served, Served], Runs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_is_slow() {
    row(Loss::S3Slow, [Served, Served, Served, Served, Served], Runs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_is_down() {
    row(Loss::S3Down, [Served, Refused, Refused, Served, Served], Fails).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_have_no_majority() {
    row(Loss::Majority, [Served, Served, Served, Served, Served], Rests).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_frozen() {
    row(Loss::NodeFrozen, [Served, Served, Served, Served, Served], Runs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_are_an_hour_ahead() {
    row(Loss::Clocks("+1h"), [Served, Served, Served, Served, Denied], Runs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_are_an_hour_behind() {
    row(Loss::Clocks("-1h"), [Served, Served, Served, Served, Served], Runs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_of_a_node_is_full() {
    // The node ends once it cannot write its log, maybe amid the bytes of an upload that are too many to be sent again.
    row(Loss::DiskFull, [Served, Served, ServedInTheEnd, Served, Served], Runs).await;
}
