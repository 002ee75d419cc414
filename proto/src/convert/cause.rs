//! Why something failed, on the wire: the chain of causes as texts. A process can do nothing with another one's causes but show them.

use std::{error::Error as StdError, fmt, iter};

use zot_contract::BoxError;

/// The most causes that are told, the outermost first.
const CAUSES_MAX: usize = 6;
/// The most bytes of each. Errors travel in headers, which are small, and some quote what a client sent.
pub(super) const TEXT_BYTES_MAX: usize = 1024;

/// The texts of an error and of its causes, cut to what a header can hold.
pub(crate) fn causes(outermost: &(dyn StdError + 'static)) -> Vec<String> {
    let chain = iter::successors(Some(outermost), |error| (**error).source());
    chain.take(CAUSES_MAX).map(|cause| cut(&cause.to_string())).collect()
}

/// The error that those texts stand for.
pub(crate) fn rebuilt(causes: Vec<String>) -> BoxError {
    let innermost_first = causes.into_iter().take(CAUSES_MAX).rev();
    let chain = innermost_first.fold(None, |source, text| Some(Box::new(Cause { text, source })));
    chain.map_or_else(|| "no cause was given".into(), |outermost| outermost as BoxError)
}

/// A text, cut to what a header can hold.
pub(super) fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    text.get(..end).unwrap_or_default().to_owned()
}

/// A cause in another process.
#[derive(Debug)]
struct Cause {
    text: String,
    source: Option<Box<Self>>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::{CAUSES_MAX, TEXT_BYTES_MAX, causes, cut, rebuilt};

    #[test]
    fn a_chain_comes_back_as_it_went_in() {
        let chain = vec!["commit".to_owned(), "write".to_owned(), "no space left".to_owned()];
        assert_eq!(causes(&*rebuilt(chain.clone())), chain);
        assert_eq!(causes(&*rebuilt(Vec::new())), ["no cause was given"]);
    }

    #[test]
    fn a_long_chain_loses_its_innermost_causes() {
        let chain: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        assert_eq!(causes(&*rebuilt(chain.clone())), chain[..CAUSES_MAX]);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = format!("x{}", "ä".repeat(TEXT_BYTES_MAX));
        assert_eq!(cut(&text).len(), TEXT_BYTES_MAX - 1);
        assert_eq!(cut("short"), "short");
    }
}
