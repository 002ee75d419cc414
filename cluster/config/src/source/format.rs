//! The formats a configuration may be written in, and where in the text a syntax error stands.

use std::path::Path;

use serde_json::Value;

use super::tree;

/// How the text of a configuration is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON, without comments.
    Json,
    /// YAML 1.2, one document.
    Yaml,
    /// TOML 1.0.
    Toml,
}

/// What is not in the format's grammar.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    /// Counted from 1, where known.
    pub(super) position: Option<(u64, u64)>,
    pub(super) message: String,
}

impl Format {
    /// The format that the extension of a file name says, if it says one.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }

    pub(super) fn parse(self, text: &str) -> Result<Value, SyntaxError> {
        match self {
            Self::Json => json(text),
            Self::Yaml => yaml(text),
            Self::Toml => toml(text),
        }
    }
}

/// Tries every format; when none fits, the error is that of the one the text looks most like.
pub(super) fn parse_any(text: &str) -> Result<Value, SyntaxError> {
    let json = match json(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    toml(text).or_else(|_| yaml(text)).map_err(|yaml| if text.trim_start().starts_with('{') { json } else { yaml })
}

fn json(text: &str) -> Result<Value, SyntaxError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = tree::read(&mut deserializer);
    read.and_then(|value| deserializer.end().map(|()| value)).map_err(|error| {
        let message = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        SyntaxError {
            position: Some((widen(error.line()), widen(error.column()))),
            message: message.strip_suffix(&place).unwrap_or(&message).to_owned(),
        }
    })
}

fn yaml(text: &str) -> Result<Value, SyntaxError> {
    // Only `true` and `false` are booleans: a user or a password may be called `no`.
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::with_deserializer_from_str_with_options(text, options, |deserializer| tree::read(deserializer)).map_err(|error| {
        let position = error.location().map(|at| (at.line(), at.column()));
        let place = position.map(|(line, column)| format!(" at line {line}, column {column}")).unwrap_or_default();
        let message = error.without_snippet().render_with_formatter(&serde_saphyr::UserMessageFormatter);
        SyntaxError { position, message: message.strip_suffix(&place).unwrap_or(&message).to_owned() }
    })
}

fn toml(text: &str) -> Result<Value, SyntaxError> {
    let read = toml::Deserializer::parse(text).and_then(tree::read);
    read.map_err(|error| SyntaxError { position: error.span().map(|span| position(text, span.start)), message: error.message().to_owned() })
}

/// Line and column, counted from 1, of a byte of the text.
fn position(text: &str, offset: usize) -> (u64, u64) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (widen(before.matches('\n').count() + 1), widen(before[line_start..].chars().count() + 1))
}

fn widen(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
