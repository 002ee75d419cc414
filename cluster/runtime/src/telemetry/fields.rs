//! The fields of events and spans on their way into a line.

use std::error::Error;
use std::fmt::{self, Display};

use tracing::Event;
use tracing::field::{Field, Visit};

use super::chain::chain;
use super::line::{Line, json_string};
use super::secrets::{MASK, is_secret_field};

const MESSAGE: &str = "message";

/// Returns the key a field gets: the members every line has keep their names to themselves.
pub(super) fn field_name(name: &'static str) -> &'static str {
    match name {
        "time" => "time_",
        "level" => "level_",
        "caller" => "caller_",
        _ => name.strip_prefix("r#").unwrap_or(name),
    }
}

/// Writes an event's message and nothing else: it precedes all fields, wherever the event has it.
pub(super) struct Message<'l, 'b> {
    line: &'l mut Line<'b>,
    found: bool,
}

impl<'l, 'b> Message<'l, 'b> {
    pub(super) fn write(line: &'l mut Line<'b>, event: &Event<'_>) {
        let mut message = Self { line, found: false };
        event.record(&mut message);
        if !message.found {
            message.line.text(MESSAGE, "");
        }
    }
}

impl Visit for Message<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == MESSAGE && !self.found {
            self.found = true;
            self.line.display(MESSAGE, format_args!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

/// Where a field's value ends.
pub(super) trait Fields {
    /// Takes a value that displays as JSON.
    fn json(&mut self, name: &'static str, value: &dyn Display);
    /// Takes a value that is text.
    fn text(&mut self, name: &'static str, value: &dyn Display);
}

/// Writes an event's fields into its line.
pub(super) struct EventFields<'l, 'b>(pub(super) &'l mut Line<'b>);

impl Fields for EventFields<'_, '_> {
    fn json(&mut self, name: &'static str, value: &dyn Display) {
        self.0.json(field_name(name), value);
    }

    fn text(&mut self, name: &'static str, value: &dyn Display) {
        self.0.display(field_name(name), value);
    }
}

/// Keeps a span's fields, each with its value as JSON, for the lines written inside it.
#[derive(Default)]
pub(super) struct SpanFields(pub(super) Vec<(&'static str, String)>);

impl SpanFields {
    fn set(&mut self, name: &'static str, json: String) {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, json));
    }
}

impl Fields for SpanFields {
    fn json(&mut self, name: &'static str, value: &dyn Display) {
        self.set(name, value.to_string());
    }

    fn text(&mut self, name: &'static str, value: &dyn Display) {
        self.set(name, json_string(value));
    }
}

/// Hands tracing's typed values to [`Fields`]: the message left out, secrets masked.
pub(super) struct Recorder<'f, F>(pub(super) &'f mut F);

impl<F: Fields> Recorder<'_, F> {
    fn json(&mut self, field: &Field, value: &dyn Display) {
        match field.name() {
            MESSAGE => {}
            name if is_secret_field(name) => self.0.text(name, &MASK),
            name => self.0.json(name, value),
        }
    }

    fn text(&mut self, field: &Field, value: &dyn Display) {
        match field.name() {
            MESSAGE => {}
            name if is_secret_field(name) => self.0.text(name, &MASK),
            name => self.0.text(name, value),
        }
    }
}

impl<F: Fields> Visit for Recorder<'_, F> {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.json(field, &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.json(field, &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.json(field, &value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinities.
        if value.is_finite() { self.json(field, &value) } else { self.text(field, &value) }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, &value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.text(field, &chain(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format_args!("{value:?}"));
    }
}
