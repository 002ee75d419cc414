//! The queue under a sink that stands still, and under one that fails.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use parking_lot::Mutex;

use super::*;
use crate::telemetry::writer::{Writer, WriterGuard, WriterOptions};

const LINE: &[u8] = b"{\"message\":\"one\"}\n";

/// A sink whose every write waits for an answer: how many bytes it takes, or that it fails.
struct Gated {
    reached: Sender<()>,
    answers: Receiver<Option<usize>>,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Write for Gated {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.reached.send(());
        // Nobody left to answer: everything is taken.
        match self.answers.recv().unwrap_or(Some(usize::MAX)) {
            Some(count) => {
                let taken = &bytes[..count.min(bytes.len())];
                self.written.lock().extend_from_slice(taken);
                Ok(taken.len())
            }
            None => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Bench {
    writer: Writer,
    guard: WriterGuard,
    reached: Receiver<()>,
    answers: Sender<Option<usize>>,
    written: Arc<Mutex<Vec<u8>>>,
}

fn bench(pending_bytes_max: usize) -> Bench {
    let (reached, at_write) = channel();
    let (answers, answered) = channel();
    let written = Arc::default();
    let sink = Gated { reached, answers: answered, written: Arc::clone(&written) };
    let options = WriterOptions { thread: "test-writer", noun: "log lines", pending_bytes_max, linger: Duration::ZERO };
    let (writer, guard) = Writer::start(Box::new(sink), options).unwrap();
    Bench { writer, guard, reached: at_write, answers, written }
}

impl Bench {
    fn wait_for_write(&self) {
        self.reached.recv_timeout(PATIENCE).unwrap();
    }

    /// Lets every write pass from now on and returns what was written.
    fn finish(self) -> String {
        drop(self.answers);
        assert!(self.writer.flush(PATIENCE));
        drop(self.guard);
        String::from_utf8(self.written.lock().clone()).unwrap()
    }
}

#[test]
fn a_full_queue_drops_lines_and_later_says_how_many() {
    let bench = bench(LINE.len() * 3);
    bench.writer.push(LINE);
    bench.wait_for_write();
    for _ in 0..10 {
        bench.writer.push(LINE);
    }
    let text = bench.finish();
    let lines = parse(&text);
    assert_eq!(messages(&lines), ["one", "one", "one", "one", "7 log lines dropped"]);
    assert_eq!((&lines[4]["level"], &lines[4]["dropped"]), (&"warn".into(), &7.into()));
}

#[test]
fn a_line_larger_than_the_queue_is_dropped_and_counted() {
    let bench = bench(LINE.len());
    bench.writer.push(&[b'x'; 100]);
    bench.writer.push(LINE);
    let text = bench.finish();
    let mut found: Vec<_> = parse(&text).iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect();
    found.sort();
    assert_eq!(found, ["1 log lines dropped", "one"]);
}

#[test]
fn lines_that_a_full_disk_refused_are_counted_and_a_torn_one_is_ended() {
    let bench = bench(1000);
    bench.writer.push(&LINE.repeat(3));
    bench.wait_for_write();
    // One line and a half, then no space; none either for the line that says so.
    bench.answers.send(Some(LINE.len() + LINE.len() / 2)).unwrap();
    bench.answers.send(None).unwrap();
    bench.answers.send(None).unwrap();
    for _ in 0..2 {
        bench.wait_for_write();
    }
    bench.writer.push(LINE);
    let text = bench.finish();
    let whole: Vec<&str> = text.lines().filter(|line| line.ends_with('}')).collect();
    let whole = parse(&(whole.join("\n") + "\n"));
    assert_eq!(messages(&whole), ["one", "one", "2 log lines dropped"]);
    assert_eq!(text.lines().count(), 4, "{text}");
}

#[test]
fn lines_of_many_threads_are_whole_and_in_each_threads_order() {
    let log = TestLog::of(LogLevel::Info, |handle| {
        let access = handle.access_log();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let access = access.clone();
                scope.spawn(move || {
                    for number in 0..500_u64 {
                        access.record(&numbered(&thread, number), []);
                    }
                });
            }
        });
    });
    let mut seen = std::collections::HashMap::<String, u64>::new();
    for line in log.lines() {
        let next = seen.entry(line["clientIP"].to_string()).or_default();
        assert_eq!(line["bodySize"], *next);
        *next += 1;
    }
    assert!(seen.len() == 8 && seen.values().all(|&count| count == 500), "{seen:?}");
}

fn numbered(thread: &u64, number: u64) -> crate::telemetry::AccessLine<'_> {
    crate::telemetry::AccessLine {
        username: None,
        client_ip: thread,
        method: "GET",
        path: "/",
        status: 200,
        latency: Duration::ZERO,
        body_size: number,
        request_id: None,
    }
}
