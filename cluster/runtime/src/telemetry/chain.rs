//! An error with its reasons, as one text.

use std::error::Error;
use std::fmt;

/// Most reasons written of one error: a chain that loops must end.
const REASONS_MAX: usize = 16;

/// Displays an error followed by each of its sources: `open blob: permission denied`.
pub fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl fmt::Display + 'e {
    Chain(error)
}

struct Chain<'e>(&'e (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let sources = std::iter::successors(self.0.source(), |&error| error.source());
        sources.take(REASONS_MAX).try_for_each(|source| write!(f, ": {source}"))
    }
}
