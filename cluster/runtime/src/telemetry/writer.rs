//! The queue between those who log and the thread that writes: bounded in bytes, emptied a batch at a time, and full
//! rather than waited for.

use std::mem;
use std::panic::Location;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::LogError;
use super::destination::{Destination, Sink};
use super::level::LogLevel;
use super::line::Line;

/// Most bytes that wait for a slow disk or terminal: some ten thousand access lines.
pub(super) const PENDING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Largest buffer kept when a burst is over.
const SPARE_BYTES_MAX: usize = 256 * 1024;
/// Longest wait for the last lines when a log is closed; an unread pipe must not keep the process from ending.
const CLOSE_SECONDS_MAX: u64 = 2;

/// How a writer behaves.
pub(super) struct WriterOptions {
    /// What its thread is called.
    pub(super) thread: &'static str,
    /// What its lines are called when some were dropped.
    pub(super) noun: &'static str,
    pub(super) pending_bytes_max: usize,
    /// How long the thread gathers lines after each batch; waking it for every line would cost more than the line.
    pub(super) linger: Duration,
}

/// A handle to push lines with.
#[derive(Clone)]
pub(super) struct Writer(Arc<Queue>);

/// Closes its writer when dropped, and waits a bounded time for the last lines.
pub(super) struct WriterGuard(Writer);

struct Queue {
    options: WriterOptions,
    state: Mutex<State>,
    /// There is something to write, or to end.
    wake: Condvar,
    /// Everything pushed so far is written.
    settled: Condvar,
}

#[derive(Default)]
struct State {
    pending: Vec<u8>,
    dropped: u64,
    /// The thread waits until it is woken.
    idle: bool,
    writing: bool,
    closing: bool,
    replacement: Option<Sink>,
}

impl State {
    fn is_settled(&self) -> bool {
        self.pending.is_empty() && self.dropped == 0 && !self.writing
    }
}

impl Writer {
    /// Starts the thread; its lines end when the guard is dropped.
    pub(super) fn start(sink: Sink, options: WriterOptions) -> Result<(Self, WriterGuard), LogError> {
        let (state, wake, settled) = Default::default();
        let thread = options.thread;
        let writer = Self(Arc::new(Queue { options, state, wake, settled }));
        let queue = Arc::clone(&writer.0);
        thread::Builder::new().name(thread.to_owned()).spawn(move || queue.run(Destination::new(sink))).map_err(LogError::Thread)?;
        Ok((writer.clone(), WriterGuard(writer)))
    }

    /// Queues one line, its newline included, or counts it as dropped; never waits for the destination.
    pub(super) fn push(&self, line: &[u8]) {
        let mut state = self.0.state.lock();
        let limit = self.0.options.pending_bytes_max;
        let before = state.pending.len();
        if state.closing || before + line.len() > limit {
            state.dropped += 1;
            return;
        }
        state.pending.extend_from_slice(line);
        let half_full = before < limit / 2 && state.pending.len() >= limit / 2;
        if mem::take(&mut state.idle) || half_full {
            drop(state);
            self.0.wake.notify_one();
        }
    }

    /// Writes to another sink from the next batch on.
    pub(super) fn replace(&self, sink: Sink) {
        self.0.state.lock().replacement = Some(sink);
    }

    /// Waits until everything pushed so far is written, at most `limit`; returns whether it is.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut state = self.0.state.lock();
        while !state.is_settled() {
            self.0.wake.notify_one();
            if self.0.settled.wait_until(&mut state, deadline).timed_out() {
                return state.is_settled();
            }
        }
        true
    }
}

impl Drop for WriterGuard {
    fn drop(&mut self) {
        self.0.flush(Duration::from_secs(CLOSE_SECONDS_MAX));
        self.0.0.state.lock().closing = true;
        self.0.0.wake.notify_one();
    }
}

impl Queue {
    fn run(&self, mut destination: Destination) {
        let mut batch = Vec::new();
        let mut lost = 0;
        while let Some(dropped) = self.next_batch(&mut batch, &mut destination) {
            lost += dropped + destination.write(&batch);
            if lost > 0 {
                self.report_lost(&mut lost, &mut destination);
            }
            batch.clear();
            batch.shrink_to(SPARE_BYTES_MAX);
        }
    }

    /// Waits for lines and returns how many were dropped meanwhile; `None` when the log is closed.
    fn next_batch(&self, batch: &mut Vec<u8>, destination: &mut Destination) -> Option<u64> {
        let mut state = self.state.lock();
        if mem::take(&mut state.writing) {
            self.settled.notify_all();
            if !self.options.linger.is_zero() && !state.closing {
                self.wake.wait_for(&mut state, self.options.linger);
            }
        }
        while state.pending.is_empty() && state.dropped == 0 {
            self.settled.notify_all();
            if state.closing {
                return None;
            }
            state.idle = true;
            self.wake.wait(&mut state);
            state.idle = false;
        }
        if let Some(sink) = state.replacement.take() {
            destination.replace(sink);
        }
        mem::swap(&mut state.pending, batch);
        state.writing = true;
        Some(mem::take(&mut state.dropped))
    }

    /// Says how many lines are missing, once the destination takes lines again.
    fn report_lost(&self, lost: &mut u64, destination: &mut Destination) {
        let mut buffer = Vec::new();
        let mut line = Line::begin(&mut buffer, LogLevel::Warn);
        line.display("message", format_args!("{lost} {} dropped", self.options.noun));
        line.json("dropped", *lost);
        if destination.write(line.finish_at(Location::caller())) == 0 {
            *lost = 0;
        }
    }
}
