//! Time is tokio's, paused: it moves only when everything waits.

use std::io;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::{Instant, advance, sleep};

use super::*;

const LIMIT: Duration = Duration::from_secs(10);

/// A number after each pause, in seconds.
fn numbers(pauses: &'static [u64]) -> impl Stream<Item = io::Result<u64>> + Unpin {
    let numbers = stream::iter(pauses).then(|&pause| async move {
        sleep(Duration::from_secs(pause)).await;
        Ok(pause)
    });
    Box::pin(numbers)
}

#[tokio::test(start_paused = true)]
async fn a_transfer_may_last_as_long_as_it_moves() {
    let timed = ProgressTimeout::new(numbers(&[0, 9, 0, 9, 9, 9, 9, 0]), LIMIT);
    let items: Vec<u64> = timed.map(Result::unwrap).collect().await;
    assert_eq!(items, [0, 9, 0, 9, 9, 9, 9, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_stands_still_fails_after_the_limit_and_ends() {
    let start = Instant::now();
    let mut timed = ProgressTimeout::new(numbers(&[3, 60]), LIMIT);
    assert_eq!(timed.next().await.unwrap().unwrap(), 3);
    let error = timed.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(error.to_string(), "no progress for 10 s");
    assert_eq!(start.elapsed().as_secs(), 13);
    assert!(timed.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_process_that_stood_still_looks_at_what_came_before_it_judges() {
    let (sender, receiver) = futures::channel::mpsc::unbounded();
    let mut timed = ProgressTimeout::new(receiver, LIMIT);
    let next = tokio::spawn(async move { timed.next().await.unwrap() });
    tokio::task::yield_now().await;
    advance(LIMIT * 10).await;
    sleep(LIMIT / 2).await;
    sender.unbounded_send(Ok::<_, io::Error>(7)).unwrap();
    assert_eq!(next.await.unwrap().unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn time_in_which_nobody_asks_does_not_count() {
    let mut timed = ProgressTimeout::new(numbers(&[0, 9, 9]), LIMIT);
    for expected in [0, 9, 9] {
        sleep(LIMIT * 3).await;
        assert_eq!(timed.next().await.unwrap().unwrap(), expected);
    }
}

#[tokio::test]
async fn the_size_hint_leaves_room_for_the_error() {
    let timed = ProgressTimeout::new(stream::iter([Ok::<_, io::Error>(1), Ok(2)]), LIMIT);
    assert_eq!(timed.size_hint(), (1, Some(3)));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_fails_the_write() {
    let start = Instant::now();
    let (near, _far) = duplex(4);
    let mut connection = ProgressIo::new(near, LIMIT);
    let error = connection.write_all(b"more than fits").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(error.get_ref().is_some_and(|source| source.is::<Stalled>()));
    assert_eq!(start.elapsed().as_secs(), LIMIT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_slow_peer_is_served_to_the_end_and_silence_is_no_failure() {
    let (near, mut far) = duplex(1);
    let mut connection = ProgressIo::new(near, LIMIT);
    let read = async {
        let mut text = Vec::new();
        for _ in 0..5 {
            sleep(Duration::from_secs(9)).await;
            text.push(far.read_u8().await.unwrap());
        }
        sleep(LIMIT * 10).await;
        far.write_u8(1).await.unwrap();
        text
    };
    let write = async {
        connection.write_all(b"slow!").await.unwrap();
        connection.flush().await.unwrap();
        connection.read_u8().await.unwrap()
    };
    let (text, answer) = tokio::join!(read, write);
    assert_eq!((text.as_slice(), answer), (b"slow!".as_slice(), 1));
}

/// So many bytes after each pause, in seconds.
fn bytes(pieces: &'static [(u64, usize)]) -> impl Stream<Item = Result<Vec<u8>, Box<dyn std::error::Error>>> + Unpin {
    let pieces = stream::iter(pieces).then(|&(pause, length)| async move {
        sleep(Duration::from_secs(pause)).await;
        Ok(vec![0; length])
    });
    Box::pin(pieces)
}

#[tokio::test(start_paused = true)]
async fn bytes_may_come_in_any_order_within_a_window() {
    // A long pause at first, then all at once; a few now and then; an end that is short of the minimum.
    let pieces = &[(9, 1), (1, 99), (2, 20), (2, 20), (2, 20), (2, 20), (2, 20), (0, 1000), (9, 1)];
    let passed: Vec<usize> = MinimumPace::new(bytes(pieces), 100, LIMIT).map(|piece| piece.unwrap().len()).collect().await;
    assert_eq!(passed, [1, 99, 20, 20, 20, 20, 20, 1000, 1]);
}

#[tokio::test(start_paused = true)]
async fn bytes_that_trickle_fail_after_a_window() {
    let mut paced = MinimumPace::new(bytes(&[(5, 100), (5, 1), (5, 1), (5, 1), (5, 1)]), 100, LIMIT);
    for expected in [100, 1, 1] {
        assert_eq!(paced.next().await.unwrap().unwrap().len(), expected);
    }
    let error = paced.next().await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "2 bytes in 10 s, at least 100 are expected");
    assert!(paced.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn bytes_that_nobody_asks_for_are_not_too_slow() {
    let mut paced = MinimumPace::new(bytes(&[(1, 1), (1, 1), (1, 1)]), 100, LIMIT);
    for _ in 0..3 {
        sleep(LIMIT * 3).await;
        assert_eq!(paced.next().await.unwrap().unwrap().len(), 1);
    }
}
