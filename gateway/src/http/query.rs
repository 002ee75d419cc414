//! The query of a request: names and values, in the order in which they were given.

use std::borrow::Cow;

use super::percent::{InvalidEscape, decode_query};

/// A parsed query.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// A parameter that may be given once was given more often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("parameter `{name}` is given more than once")]
pub(crate) struct Repeated {
    name: &'static str,
}

impl<'a> Query<'a> {
    /// Parses what follows the `?` of a target.
    pub(crate) fn parse(query: Option<&'a str>) -> Result<Self, InvalidEscape> {
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let decoded = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode_query(name)?, decode_query(value)?))
        });
        decoded.collect::<Result<_, _>>().map(Self)
    }

    /// The values of a parameter, in order.
    pub(crate) fn all<'q>(&'q self, name: &'static str) -> impl Iterator<Item = &'q str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_ref())
    }

    /// The value of a parameter that may be given once at most.
    pub(crate) fn one(&self, name: &'static str) -> Result<Option<&str>, Repeated> {
        let mut values = self.all(name);
        let value = values.next();
        if values.next().is_some() { Err(Repeated { name }) } else { Ok(value) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_keep_their_order() {
        let query = Query::parse(Some("tag=b&tag=a&n=&flag&x=1%3D2")).unwrap();
        assert_eq!(query.all("tag").collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(query.one("n"), Ok(Some("")));
        assert_eq!(query.one("flag"), Ok(Some("")));
        assert_eq!(query.one("x"), Ok(Some("1=2")));
        assert_eq!(query.one("y"), Ok(None));
    }

    #[test]
    fn a_repeated_parameter_is_noticed() {
        let query = Query::parse(Some("n=1&n=1")).unwrap();
        assert_eq!(query.one("n"), Err(Repeated { name: "n" }));
    }

    #[test]
    fn there_may_be_none() {
        assert_eq!(Query::parse(None), Ok(Query::default()));
        assert_eq!(Query::parse(Some("&&")), Ok(Query::default()));
        assert!(Query::parse(Some("a=%0a")).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_fail(text in "([a-z&=+]|%[0-9a-f]{0,2}|\\PC){0,30}") {
            if let Ok(query) = Query::parse(Some(&text)) {
                prop_assert!(query.0.len() <= text.len());
            }
        }
    }
}
