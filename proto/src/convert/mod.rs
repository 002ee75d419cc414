//! Between messages and the contract's types: what a message says is checked here, once, and nowhere else.

mod blobs;
mod catalog;
mod cause;
mod cluster;
mod context;
mod error;
mod manifests;
mod reason;
mod uploads;
mod users;

use std::{error::Error as StdError, str::FromStr};

use zot_contract::Error;

pub(crate) use cause::{causes, rebuilt};
pub(crate) use uploads::ChunkHeader;

/// A message that does not say what it must: the two ends do not speak the same language.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// A field that every such message has is absent.
    #[error("message has no {field}")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A field does not have the form that its name promises.
    #[error("message has an invalid {field}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A message of a stream that does not belong where it came.
    #[error("stream of messages is out of order: expected {expected}")]
    Order {
        /// What should have come.
        expected: &'static str,
    },
}

/// What another process answers must be well-formed: if it is not, one of the two has a fault.
impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Self {
        Self::internal(malformed)
    }
}

/// The value that a field spells.
pub(crate) fn parse<T>(field: &'static str, text: &str) -> Result<T, Malformed>
where
    T: FromStr<Err: StdError + Send + Sync + 'static>,
{
    text.parse().map_err(|source| Malformed::Invalid { field, source: Box::new(source) })
}

/// The value of a field that may be absent.
pub(crate) fn parse_optional<T>(field: &'static str, text: Option<&str>) -> Result<Option<T>, Malformed>
where
    T: FromStr<Err: StdError + Send + Sync + 'static>,
{
    text.map(|text| parse(field, text)).transpose()
}

/// The message in a field that must not be absent, as what it stands for.
pub(crate) fn required<W, T>(field: &'static str, message: Option<W>) -> Result<T, Malformed>
where
    T: TryFrom<W>,
    Malformed: From<T::Error>,
{
    Ok(message.ok_or(Malformed::Missing { field })?.try_into()?)
}

/// For messages that can say nothing wrong.
impl From<std::convert::Infallible> for Malformed {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
