//! Tasks that end, panic, wait to be stopped, and do not stop.

use std::future::pending;
use std::sync::mpsc::channel;

use super::*;
use crate::telemetry::LogLevel;
use crate::telemetry::tests::TestLog;

const PATIENCE: Duration = Duration::from_secs(30);

async fn until_empty(tasks: &Tasks) {
    let ended = async {
        while !tasks.running().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("the tasks end");
}

#[tokio::test]
async fn tasks_are_listed_while_they_run() {
    let tasks = Tasks::new();
    let stop = tasks.stop();
    tasks.spawn("first", stop.clone().cancelled_owned());
    tasks.spawn(format!("second-{}", 2), stop.cancelled_owned());
    tasks.spawn("short", async {});
    assert_eq!(tasks.running()[..2], ["first", "second-2"]);
    assert_eq!(tasks.shutdown(PATIENCE).await, [""; 0]);
    assert_eq!(tasks.running(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn those_that_do_not_stop_are_named_and_aborted() {
    let tasks = Tasks::new();
    let guard = Arc::new(());
    let held = Arc::clone(&guard);
    tasks.spawn("deaf", async move {
        let _held = held;
        pending::<()>().await;
    });
    tasks.spawn("polite", tasks.stop().cancelled_owned());
    assert_eq!(tasks.shutdown(Duration::from_secs(10)).await, ["deaf"]);
    until_empty(&tasks).await;
    assert_eq!(Arc::strong_count(&guard), 1);
}

#[tokio::test]
async fn a_blocking_task_has_its_place_and_its_thread() {
    let tasks = Tasks::new();
    let (sender, receiver) = channel();
    tasks.spawn_blocking("scan", move || receiver.recv().unwrap());
    assert_eq!(tasks.running(), ["scan"]);
    sender.send(()).unwrap();
    until_empty(&tasks).await;
}

#[test]
fn panics_are_logged_with_the_tasks_name_and_counted() {
    let tasks = Tasks::new();
    let log = TestLog::of(LogLevel::Info, |_| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            tasks.spawn("brittle", async { panic!("out of {}", "luck") });
            tasks.spawn("sound", async { tracing::info!("done") });
            until_empty(&tasks).await;
        });
    });
    assert_eq!(tasks.panics(), 1);
    let lines = log.lines();
    assert_eq!(lines.len(), 2, "{}", log.text());
    assert_eq!((&lines[0]["message"], &lines[0]["error"]), (&"task brittle panicked".into(), &"out of luck".into()));
    assert_eq!((&lines[0]["task"], &lines[1]["task"]), (&"brittle".into(), &"sound".into()));
}

#[tokio::test]
async fn a_panic_in_a_blocking_task_is_counted_and_shutdown_succeeds() {
    let tasks = Tasks::new();
    tasks.spawn_blocking("brittle", || panic!("out of luck"));
    assert_eq!(tasks.shutdown(PATIENCE).await, [""; 0]);
    assert_eq!(tasks.panics(), 1);
}
