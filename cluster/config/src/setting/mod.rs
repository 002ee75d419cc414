//! How one value of the file becomes one typed setting, with the leniency users of Go's registries are used to.

pub(crate) mod collection;
pub(crate) mod duration;
pub(crate) mod scalar;
pub(crate) mod secret;
pub(crate) mod section;
pub(crate) mod size;
pub(crate) mod word;

use serde_json::Value;

use crate::key_path::KeyPath;
use crate::report::Report;

/// A value of the file, the place it stands at, and where to say what is wrong with it.
#[derive(Clone, Copy)]
pub(crate) struct Found<'a> {
    pub(crate) value: &'a Value,
    pub(crate) path: &'a KeyPath,
    pub(crate) report: &'a Report,
}

impl Found<'_> {
    /// Reports that something else was expected here.
    pub(crate) fn expected(&self, what: &str) {
        self.refuse(format!("expected {what}, found {}", describe(self.value)));
    }

    pub(crate) fn refuse(&self, message: impl Into<String>) {
        self.report.unreadable(self.path, message);
    }
}

/// A type that a value of the file can become.
pub(crate) trait Setting: Sized {
    /// Whether empty text says the same as leaving an optional setting of this type out.
    const EMPTY_IS_ABSENT: bool = false;

    /// Reads a value that is not null; `None` means that a problem was reported.
    fn read(found: &Found<'_>) -> Option<Self>;

    /// The value as it may be logged: as the file would say it, secrets masked, `Null` when absent.
    fn show(&self) -> Value;
}

/// A whole number, also one written as text, as a whole float or as a boolean.
fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
        Value::String(text) if text.is_empty() => Some(0),
        Value::String(text) => text.parse().ok(),
        Value::Bool(on) => Some(i64::from(*on)),
        _ => None,
    }
}

fn whole(float: f64) -> Option<i64> {
    // Up to 2^53 every whole number has exactly one float, so that nothing is rounded silently.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole and within the exact range, checked in the same line")]
    (float.fract() == 0.0 && float.abs() <= EXACT).then_some(float as i64)
}

/// A boolean, also one written as text or number.
pub(crate) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(on) => Some(*on),
        Value::Number(number) => Some(number.as_f64() != Some(0.0)),
        Value::String(text) => match text.as_str() {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
            "0" | "f" | "F" | "FALSE" | "false" | "False" | "" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// What was found, short enough for a line.
fn describe(value: &Value) -> String {
    const SHOWN_CHARS_MAX: usize = 60;
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(on) => format!("`{on}`"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.chars().count() > SHOWN_CHARS_MAX => {
            format!("the string {:?}…", text.chars().take(SHOWN_CHARS_MAX).collect::<String>())
        }
        Value::String(text) => format!("the string {text:?}"),
        Value::Array(elements) => format!("a list of {}", elements.len()),
        Value::Object(_) => "an object".to_owned(),
    }
}
