//! Repository names: the `<name>` of the distribution specification.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

/// The longest repository name accepted, in bytes.
///
/// The specification leaves it open; clients limit host and name together to 255 characters, and file systems a path component to 255 bytes.
pub const NAME_LENGTH_MAX: usize = 255;

/// A repository name that matches the grammar of distribution-spec 1.1 ("Pulling manifests"):
/// components of lower-case letters and digits, joined inside by `.`, `_`, `__` or dashes, and to each other by `/`.
///
/// Cloning is cheap. A name can never climb out of a directory: no component is empty, `.` or `..`, and none starts with `_` or `.`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryName(Arc<str>);

/// Why a string is not a repository name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing at all.
    #[error("repository name is empty")]
    Empty,
    /// Longer than [`NAME_LENGTH_MAX`].
    #[error("repository name has {length} bytes, at most {NAME_LENGTH_MAX} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// A path component that names a file of the OCI image layout, in which registries keep repositories as directories.
    #[error("repository name has the component `{component}`, which is reserved for a file of the image layout")]
    Reserved {
        /// The component.
        component: &'static str,
    },
    /// A path component breaks the grammar.
    #[error(
        "repository name has the invalid component `{component}`: expected lower-case letters and digits, joined by `.`, `_`, `__` or `-`"
    )]
    Component {
        /// The component, escaped for display.
        component: String,
    },
}

impl RepositoryName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path components, at least one.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl FromStr for RepositoryName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() {
            return Err(InvalidName::Empty);
        }
        if text.len() > NAME_LENGTH_MAX {
            return Err(InvalidName::TooLong { length: text.len() });
        }
        if let Some(component) = RESERVED.into_iter().find(|reserved| text.split('/').any(|component| component == *reserved)) {
            return Err(InvalidName::Reserved { component });
        }
        match text.split('/').find(|component| !is_component(component)) {
            Some(component) => Err(InvalidName::Component { component: component.escape_debug().to_string() }),
            None => Ok(Self(text.into())),
        }
    }
}

/// Files of an image layout (image-spec, "Image Layout"): a repository `a/index.json` would stand where `a` has its index.
const RESERVED: [&str; 2] = ["index.json", "oci-layout"];

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(component: &str) -> bool {
    let word = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    word(first) && word(last) && bytes.split(word).all(is_separator)
}

fn is_separator(between: &[u8]) -> bool {
    matches!(between, b"" | b"." | b"_" | b"__") || between.iter().all(|byte| *byte == b'-')
}

/// It is compared and hashed as its text, so a map can be asked by text.
impl Borrow<str> for RepositoryName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_grammar_are_accepted() {
        for name in ["a", "library/alpine", "a.b_c__d-e---f/0", "a/b/c/d/e/f/g", "1.2.3"] {
            assert_eq!(name.parse::<RepositoryName>().map(|name| name.to_string()), Ok(name.to_owned()));
        }
    }

    #[test]
    fn files_of_the_image_layout_are_no_names() {
        assert_eq!("a/index.json".parse::<RepositoryName>(), Err(InvalidName::Reserved { component: "index.json" }));
        assert!("oci-layout".parse::<RepositoryName>().is_err());
        assert!("a/index.json.b".parse::<RepositoryName>().is_ok());
    }

    #[test]
    fn names_outside_the_grammar_are_refused() {
        let long = "a".repeat(NAME_LENGTH_MAX + 1);
        for name in [
            "", "/", "a/", "/a", "a//b", "A", "a/..", "..", ".", "_a", "a_", ".a", "a.", "-a", "a-", "a..b", "a___b", "a._b", "a.-b",
            "a b", "a\0b", "ä", "a%2fb", "a\\b", &long,
        ] {
            assert!(name.parse::<RepositoryName>().is_err(), "{name:?}");
        }
    }
}
