//! One log line as JSON, written by hand into a buffer that is used again.

use std::cell::Cell;
use std::fmt::{self, Display, Write as _};
use std::panic::Location;
use std::time::SystemTime;

use super::VALUE_BYTES_MAX;
use super::level::LogLevel;

/// Largest buffer a thread keeps for its next line.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends this thread's buffer.
pub(super) fn with_buffer(write: impl FnOnce(&mut Vec<u8>)) {
    // Taken out and put back: a value whose `Debug` logs or panics finds an empty buffer, not a borrowed one.
    let mut buffer = BUFFER.try_with(Cell::take).unwrap_or_default();
    write(&mut buffer);
    if buffer.capacity() <= BUFFER_BYTES_MAX {
        // Fails only while the thread ends, when there is no next line.
        let _ = BUFFER.try_with(|cell| cell.set(buffer));
    }
}

/// An open JSON object that ends as one line.
pub(super) struct Line<'b> {
    out: &'b mut Vec<u8>,
}

impl<'b> Line<'b> {
    /// Opens the object with `time` and `level`.
    pub(super) fn begin(out: &'b mut Vec<u8>, level: LogLevel) -> Self {
        // The formatter cannot express a clock set before 1970.
        let now = SystemTime::now().max(SystemTime::UNIX_EPOCH);
        out.clear();
        let mut line = Self { out };
        line.raw("{\"time\":\"");
        line.formatted(format_args!("{}", humantime::format_rfc3339_nanos(now)));
        line.raw("\",\"level\":\"");
        line.raw(level.name());
        line.raw("\"");
        line
    }

    /// Adds a string.
    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.string(value);
    }

    /// Adds what a value displays as a string.
    pub(super) fn display(&mut self, key: &str, value: impl Display) {
        self.key(key);
        self.quoted(|text| {
            // A value that fails to format leaves what it wrote before.
            let _ = write!(text, "{value}");
        });
    }

    /// Adds a value that is JSON as it displays: a number or a boolean.
    pub(super) fn json(&mut self, key: &str, value: impl Display) {
        self.key(key);
        self.formatted(format_args!("{value}"));
    }

    /// Opens a member; its value must follow.
    pub(super) fn key(&mut self, key: &str) {
        self.raw(",\"");
        escape_into(self.out, key);
        self.raw("\":");
    }

    /// Writes a string as a value.
    pub(super) fn string(&mut self, value: &str) {
        // A str to a Text cannot fail to format.
        self.quoted(|text| text.write_str(value).unwrap_or_default());
    }

    /// Writes bytes as a string; what is not UTF-8 becomes U+FFFD.
    pub(super) fn bytes(&mut self, value: &[u8]) {
        // Checked whole first: that is many times faster than chunk by chunk.
        match std::str::from_utf8(value) {
            Ok(text) => self.string(text),
            Err(_) => self.string(&String::from_utf8_lossy(value)),
        }
    }

    /// Writes text that is JSON already.
    pub(super) fn raw(&mut self, json: &str) {
        self.out.extend_from_slice(json.as_bytes());
    }

    /// Writes an object's key in Go's canonical spelling of header names, `User-Agent`, as zot logs them.
    pub(super) fn header_name(&mut self, name: &str) {
        self.raw("\"");
        let start = self.out.len();
        escape_into(self.out, name);
        let mut after_dash = true;
        for byte in self.out.iter_mut().skip(start) {
            if after_dash {
                byte.make_ascii_uppercase();
            }
            after_dash = *byte == b'-';
        }
        self.raw("\":");
    }

    /// Closes the line with `caller` and hands it out, its newline included.
    pub(super) fn finish(mut self, file: &str, line: u32) -> &'b [u8] {
        self.raw(",\"caller\":\"");
        escape_into(self.out, short_path(file));
        self.formatted(format_args!(":{line}\"}}\n"));
        self.out
    }

    /// As [`Line::finish`], for a place in our own code.
    pub(super) fn finish_at(self, place: &Location<'_>) -> &'b [u8] {
        self.finish(place.file(), place.line())
    }

    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    fn formatted(&mut self, value: fmt::Arguments<'_>) {
        // Writing to memory does not fail.
        let _ = std::io::Write::write_fmt(self.out, value);
    }

    fn quoted(&mut self, write: impl FnOnce(&mut Text<'_>)) {
        self.raw("\"");
        let mut text = Text { out: self.out, left: VALUE_BYTES_MAX, cut: false };
        write(&mut text);
        if text.cut {
            self.raw("…");
        }
        self.raw("\"");
    }
}

/// Writes a value's JSON, without its key, into a string: what spans keep until a line needs it.
pub(super) fn json_string(value: impl Display) -> String {
    let mut out = Vec::new();
    Line { out: &mut out }.quoted(|text| write!(text, "{value}").unwrap_or_default());
    String::from_utf8(out).unwrap_or_default()
}

/// The inside of a JSON string: escapes what is written to it and stops at the longest value.
struct Text<'b> {
    out: &'b mut Vec<u8>,
    left: usize,
    cut: bool,
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, value: &str) -> fmt::Result {
        let kept = value.get(..value.floor_char_boundary(self.left)).unwrap_or_default();
        self.cut |= kept.len() < value.len();
        self.left = if self.cut { 0 } else { self.left - kept.len() };
        escape_into(self.out, kept);
        Ok(())
    }
}

/// Whether a byte cannot stand in a JSON string as it is, or not in a terminal: 0xC2 leads the C1 control characters.
const fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\') | (byte == 0x7f) | (byte == 0xc2)
}

/// Looks at every byte without a branch, which compiles to vector instructions; nearly every value is plain.
fn is_plain(bytes: &[u8]) -> bool {
    !bytes.iter().fold(false, |found, &byte| found | is_special(byte))
}

fn escape_into(out: &mut Vec<u8>, value: &str) {
    let bytes = value.as_bytes();
    if is_plain(bytes) {
        return out.extend_from_slice(bytes);
    }
    let mut copied = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if !is_special(byte) {
            continue;
        }
        let (control, width) = match (byte, bytes.get(at + 1)) {
            (0xc2, Some(&next)) if next < 0xa0 => (next, 2),
            (0xc2, _) => continue,
            _ => (byte, 1),
        };
        out.extend_from_slice(&bytes[copied..at]);
        push_escape(out, control);
        copied = at + width;
    }
    out.extend_from_slice(&bytes[copied..]);
}

fn push_escape(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        }
    }
}

/// Cuts what the machine that built a dependency called its folders: `…/h2-0.4.5/src/codec.rs` says enough.
fn short_path(file: &str) -> &str {
    if !file.starts_with('/') {
        return file;
    }
    let source = file.rfind("/src/").unwrap_or(0);
    let folder = file[..source].rfind('/').map_or(0, |slash| slash + 1);
    &file[folder..]
}
