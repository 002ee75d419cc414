//! A process that is told to end while its storage does not answer.

use std::{process::ExitCode, sync::mpsc};

use rustix::process::{Signal, getpid, kill_process};

#[test]
fn a_process_ends_that_waits_for_work_which_never_returns() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    let config = r#"{ "storage": { "rootDirectory": "/nowhere" }, "http": { "port": "0", "limits": { "drainTimeout": "200ms" } } }"#;
    std::fs::write(&path, config).unwrap();
    let (never, forever) = mpsc::channel::<()>();
    let ended = zot_process::serve(&path, async |process| {
        kill_process(getpid(), Signal::TERM)?;
        let opening = tokio::task::spawn_blocking(move || forever.recv());
        assert!(process.unless_signalled(opening).await.is_none());
        Ok(())
    });
    assert_eq!(ended, ExitCode::SUCCESS);
    drop(never);
}
