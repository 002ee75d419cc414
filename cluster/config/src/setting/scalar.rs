//! Strings, booleans and numbers, converted into each other where the meaning is plain.

use std::path::PathBuf;

use serde_json::Value;

use super::{Found, Setting, boolean, integer};

impl Setting for bool {
    fn read(found: &Found<'_>) -> Option<Self> {
        let read = boolean(found.value);
        if read.is_none() {
            found.expected("`true` or `false`");
        }
        read
    }

    fn show(&self) -> Value {
        Value::Bool(*self)
    }
}

impl Setting for String {
    const EMPTY_IS_ABSENT: bool = true;

    fn read(found: &Found<'_>) -> Option<Self> {
        match found.value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(on) => Some(on.to_string()),
            _ => {
                found.expected("a string");
                None
            }
        }
    }

    fn show(&self) -> Value {
        Value::String(self.clone())
    }
}

impl Setting for PathBuf {
    const EMPTY_IS_ABSENT: bool = true;

    fn read(found: &Found<'_>) -> Option<Self> {
        let text = String::read(found)?;
        if text.contains('\0') {
            found.refuse("a path cannot hold a zero byte");
            return None;
        }
        Some(Self::from(text))
    }

    fn show(&self) -> Value {
        Value::String(self.to_string_lossy().into_owned())
    }
}

/// The only numbers of 16 bits in the file are ports; empty text is port 0, chosen by the system.
impl Setting for u16 {
    fn read(found: &Found<'_>) -> Option<Self> {
        let Some(number) = integer(found.value) else {
            found.expected("a port from 0 to 65535");
            return None;
        };
        let port = Self::try_from(number).ok();
        if port.is_none() {
            found.refuse(format!("invalid port {number}: expected a port from 0 to 65535"));
        }
        port
    }

    fn show(&self) -> Value {
        Value::from(*self)
    }
}

fn unsigned<T: TryFrom<i64>>(found: &Found<'_>) -> Option<T> {
    let read = integer(found.value).and_then(|number| T::try_from(number).ok());
    if read.is_none() {
        found.expected("a whole number, not negative");
    }
    read
}

impl Setting for u32 {
    fn read(found: &Found<'_>) -> Option<Self> {
        unsigned(found)
    }

    fn show(&self) -> Value {
        Value::from(*self)
    }
}

impl Setting for u64 {
    fn read(found: &Found<'_>) -> Option<Self> {
        unsigned(found)
    }

    fn show(&self) -> Value {
        Value::from(*self)
    }
}

impl Setting for usize {
    fn read(found: &Found<'_>) -> Option<Self> {
        unsigned(found)
    }

    fn show(&self) -> Value {
        Value::from(*self)
    }
}

impl Setting for i64 {
    fn read(found: &Found<'_>) -> Option<Self> {
        let read = integer(found.value);
        if read.is_none() {
            found.expected("a whole number");
        }
        read
    }

    fn show(&self) -> Value {
        Value::from(*self)
    }
}

impl Setting for f64 {
    fn read(found: &Found<'_>) -> Option<Self> {
        let read = match found.value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        let finite = read.filter(|number| number.is_finite());
        if finite.is_none() {
            found.expected("a finite number");
        }
        finite
    }

    fn show(&self) -> Value {
        Value::from(*self)
    }
}
