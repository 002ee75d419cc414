//! The access line: one a request, serialised by hand because it is written more often than all others together.

use std::fmt::Display;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::level::{CurrentLevel, LogLevel};
use super::line::{Line, with_buffer};
use super::secrets::{MASK, is_secret_header, masked_target};
use super::writer::Writer;

/// Most bytes of headers in one line; what comes after is left out and `headersTruncated` says so.
const HEADERS_BYTES_MAX: usize = 16 * 1024;

/// What one request was and how it was answered.
#[derive(Clone, Copy)]
pub struct AccessLine<'a> {
    /// Who asked, once known.
    pub username: Option<&'a str>,
    /// The address of the peer, with its port as zot has it.
    pub client_ip: &'a dyn Display,
    /// The request's method.
    pub method: &'a str,
    /// Path and query; secret parameters are masked here.
    pub path: &'a str,
    /// The status answered.
    pub status: u16,
    /// From the request's head to the end of the response.
    pub latency: Duration,
    /// Bytes of the response's body.
    pub body_size: u64,
    /// The request's id, where it has one.
    pub request_id: Option<&'a str>,
}

/// Writes access lines; cheap to clone, and costs a load of the level where they are off.
#[derive(Clone)]
pub struct AccessLog(Option<(Writer, Arc<CurrentLevel>)>);

impl AccessLog {
    pub(super) fn new(writer: Writer, level: Arc<CurrentLevel>) -> Self {
        Self(Some((writer, level)))
    }

    /// Returns a log that writes nothing.
    pub const fn disabled() -> Self {
        Self(None)
    }

    /// Whether lines are written: not while the level is above `info`.
    pub fn is_enabled(&self) -> bool {
        self.writer().is_some()
    }

    /// Writes the line of one request; the values of one header must follow each other, secret ones are masked.
    #[track_caller]
    pub fn record<'h>(&self, request: &AccessLine<'_>, headers: impl IntoIterator<Item = (&'h str, &'h [u8])>) {
        let Some(writer) = self.writer() else { return };
        let caller = Location::caller();
        with_buffer(|buffer| {
            let mut line = Line::begin(buffer, LogLevel::Info);
            write_request(&mut line, request);
            write_headers(&mut line, headers);
            writer.push(line.finish_at(caller));
        });
    }

    fn writer(&self) -> Option<&Writer> {
        self.0.as_ref().filter(|(_, level)| level.get() <= LogLevel::Info).map(|(writer, _)| writer)
    }
}

fn write_request(line: &mut Line<'_>, request: &AccessLine<'_>) {
    let micros = request.latency.as_micros();
    let (millis, thousandths) = (micros / 1000, micros % 1000);
    line.raw(",\"message\":\"HTTP API\",\"module\":\"http\"");
    if let Some(username) = request.username {
        line.text("username", username);
    }
    line.raw(",\"component\":\"session\"");
    line.display("clientIP", request.client_ip);
    line.text("method", request.method);
    line.text("path", &masked_target(request.path));
    line.json("statusCode", request.status);
    line.display("latency", format_args!("{millis}.{thousandths:03}ms"));
    line.json("latencyMs", format_args!("{millis}.{thousandths:03}"));
    line.json("bodySize", request.body_size);
    if let Some(request_id) = request.request_id {
        line.text("requestId", request_id);
    }
}

fn write_headers<'h>(line: &mut Line<'_>, headers: impl IntoIterator<Item = (&'h str, &'h [u8])>) {
    line.raw(",\"headers\":{");
    let limit = line.len() + HEADERS_BYTES_MAX;
    let mut previous: Option<&str> = None;
    let mut truncated = false;
    for (name, value) in headers {
        truncated = line.len() > limit;
        if truncated {
            break;
        }
        match previous.replace(name) {
            Some(same) if same == name => line.raw(","),
            Some(_) => {
                line.raw("],");
                open_header(line, name);
            }
            None => open_header(line, name),
        }
        write_header_value(line, name, value);
    }
    line.raw(if previous.is_some() { "]}" } else { "}" });
    if truncated {
        line.json("headersTruncated", true);
    }
}

fn open_header(line: &mut Line<'_>, name: &str) {
    line.header_name(name);
    line.raw("[");
}

fn write_header_value(line: &mut Line<'_>, name: &str, value: &[u8]) {
    if is_secret_header(name) {
        line.string(MASK);
    } else if value.contains(&b'=') && value.iter().any(|byte| matches!(byte, b'?' | b'#')) {
        // Referer and its like hold addresses, and those hold secrets.
        line.string(&masked_target(&String::from_utf8_lossy(value)));
    } else {
        line.bytes(value);
    }
}
