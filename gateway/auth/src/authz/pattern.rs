//! Patterns of repository names, with zot's rules (those of the library doublestar).
//!
//! `*` stands for any characters of one component, `?` for one of them, `[a-z]` and `[^a-z]` for one of a class, `{a,b}` for either, and `**` as a
//! whole component for any number of components, also for none: `a/**` matches `a` too. `\` takes the meaning from what follows.

/// The most alternatives that the braces of one pattern may multiply to.
const ALTERNATIVES_MAX: usize = 1024;

/// The most characters of a pattern; the names that it is for have 255 at most.
const CHARACTERS_MAX: usize = 1024;

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    /// What the pattern means without braces: it matches what any of these does.
    alternatives: Vec<Alternative>,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// A class or a group of alternatives has no end.
    #[error("`{0}` is not closed")]
    Unclosed(char),
    /// A group of alternatives ends that did not begin.
    #[error("`}}` closes nothing")]
    Unopened,
    /// A class has nothing in it, or a range that ends before it begins.
    #[error("a class of characters is empty")]
    EmptyClass,
    /// Nothing follows the last `\`.
    #[error("nothing follows `\\`")]
    Escape,
    /// Its braces multiply to too much.
    #[error("its braces make more than {ALTERNATIVES_MAX} alternatives")]
    TooMany,
    /// It is longer than any pattern needs to be.
    #[error("it has more than {CHARACTERS_MAX} characters")]
    TooLong,
}

/// A pattern without braces, component by component.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Alternative {
    components: Vec<Component>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Component {
    /// Any number of components, also none.
    AnyDepth,
    /// One component.
    Of(Vec<Token>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// This character.
    Char(char),
    /// Any one.
    AnyChar,
    /// Any number of any.
    AnyChars,
    /// One that is within one of the ranges, or within none.
    Class { within: bool, ranges: Vec<(char, char)> },
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// It is not well-formed.
    pub fn new(text: &str) -> Result<Self, InvalidPattern> {
        let characters: Vec<char> = text.chars().collect();
        if characters.len() > CHARACTERS_MAX {
            return Err(InvalidPattern::TooLong);
        }
        let alternatives = expand(&characters)?;
        let alternatives = alternatives.iter().map(|characters| Alternative::parse(characters)).collect::<Result<_, _>>()?;
        Ok(Self { text: text.into(), alternatives })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches a name.
    pub fn matches(&self, name: &str) -> bool {
        self.alternatives.iter().any(|alternative| alternative.matches(name))
    }

    /// Whether it matches every name.
    pub(super) fn matches_everything(&self) -> bool {
        self.alternatives.iter().any(|alternative| alternative.components == [Component::AnyDepth])
    }

    /// What every name that it matches begins with, for each alternative.
    pub(super) fn prefixes(&self) -> impl Iterator<Item = String> {
        self.alternatives.iter().map(Alternative::prefix)
    }
}

/// The texts that the braces of a pattern stand for.
fn expand(pattern: &[char]) -> Result<Vec<Vec<char>>, InvalidPattern> {
    let Some(open) = find(pattern, 0, '{')? else {
        return if find(pattern, 0, '}')?.is_some() { Err(InvalidPattern::Unopened) } else { Ok(vec![pattern.to_vec()]) };
    };
    let (choices, end) = choices(pattern, open)?;
    let rest = expand(&pattern[end + 1..])?;
    let mut expanded = Vec::new();
    for choice in choices {
        for middle in expand(choice)? {
            if expanded.len() + rest.len() > ALTERNATIVES_MAX {
                return Err(InvalidPattern::TooMany);
            }
            expanded.extend(rest.iter().map(|rest| [&pattern[..open], &middle, rest].concat()));
        }
    }
    Ok(expanded)
}

/// The alternatives of the group that opens at `open`, and where it closes.
fn choices(pattern: &[char], open: usize) -> Result<(Vec<&[char]>, usize), InvalidPattern> {
    let (mut depth, mut from, mut at, mut found) = (0, open + 1, open, Vec::new());
    while let Some(character) = pattern.get(at) {
        match character {
            '\\' => at += 1,
            '[' => at = class_end(pattern, at)?,
            '{' => depth += 1,
            ',' if depth == 1 => {
                found.push(&pattern[from..at]);
                from = at + 1;
            }
            '}' if depth == 1 => {
                found.push(&pattern[from..at]);
                return Ok((found, at));
            }
            '}' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    Err(InvalidPattern::Unclosed('{'))
}

/// Where `wanted` stands with its meaning, from `at` on.
fn find(pattern: &[char], mut at: usize, wanted: char) -> Result<Option<usize>, InvalidPattern> {
    while let Some(character) = pattern.get(at) {
        match character {
            found if *found == wanted => return Ok(Some(at)),
            '\\' => at += 1,
            '[' => at = class_end(pattern, at)?,
            _ => {}
        }
        at += 1;
    }
    Ok(None)
}

/// Where the class that opens at `open` closes.
fn class_end(pattern: &[char], open: usize) -> Result<usize, InvalidPattern> {
    let mut at = open + 1;
    if matches!(pattern.get(at), Some('^' | '!')) {
        at += 1;
    }
    while let Some(character) = pattern.get(at) {
        match character {
            ']' => return Ok(at),
            '\\' => at += 2,
            _ => at += 1,
        }
    }
    Err(InvalidPattern::Unclosed('['))
}

impl Alternative {
    fn parse(characters: &[char]) -> Result<Self, InvalidPattern> {
        let (mut components, mut tokens, mut at) = (Vec::new(), Vec::new(), 0);
        while let Some(character) = characters.get(at) {
            at += 1;
            match character {
                '/' => components.push(Component::of(std::mem::take(&mut tokens))),
                '*' => tokens.push(Token::AnyChars),
                '?' => tokens.push(Token::AnyChar),
                '\\' => {
                    tokens.push(Token::Char(*characters.get(at).ok_or(InvalidPattern::Escape)?));
                    at += 1;
                }
                '[' => {
                    let end = class_end(characters, at - 1)?;
                    tokens.push(class(&characters[at..end])?);
                    at = end + 1;
                }
                character => tokens.push(Token::Char(*character)),
            }
        }
        components.push(Component::of(tokens));
        Ok(Self { components })
    }

    fn prefix(&self) -> String {
        let mut prefix = String::new();
        for (index, component) in self.components.iter().enumerate() {
            let Component::Of(tokens) = component else { return prefix };
            if index > 0 {
                prefix.push('/');
            }
            for token in tokens {
                let Token::Char(character) = token else { return prefix };
                prefix.push(*character);
            }
        }
        prefix
    }

    /// Whichever `**` came last is the only one that needs to be tried again with more: what the others took is as good as anything.
    fn matches(&self, name: &str) -> bool {
        let parts: Vec<&str> = name.split('/').collect();
        let (mut component, mut part, mut again) = (0, 0, None);
        while part < parts.len() {
            match self.components.get(component) {
                Some(Component::AnyDepth) => {
                    again = Some((component + 1, part));
                    component += 1;
                    continue;
                }
                Some(Component::Of(tokens)) if matches(tokens, parts[part]) => {
                    (component, part) = (component + 1, part + 1);
                    continue;
                }
                _ => {}
            }
            let Some((after, from)) = again else { return false };
            again = Some((after, from + 1));
            (component, part) = (after, from + 1);
        }
        self.components[component..].iter().all(|rest| *rest == Component::AnyDepth)
    }
}

impl Component {
    fn of(tokens: Vec<Token>) -> Self {
        if tokens == [Token::AnyChars, Token::AnyChars] { Self::AnyDepth } else { Self::Of(tokens) }
    }
}

fn class(inside: &[char]) -> Result<Token, InvalidPattern> {
    let negated = matches!(inside.first(), Some('^' | '!'));
    let mut characters = inside[usize::from(negated)..].iter().copied();
    let mut next = || match characters.next() {
        Some('\\') => characters.next().map(|escaped| (escaped, true)),
        plain => plain.map(|plain| (plain, false)),
    };
    let mut ranges: Vec<(char, char)> = Vec::new();
    let mut ended = next();
    while let Some((first, _)) = ended {
        ended = next();
        if ended == Some(('-', false)) {
            let (last, _) = next().ok_or(InvalidPattern::EmptyClass)?;
            ranges.push((first, last));
            ended = next();
        } else {
            ranges.push((first, first));
        }
    }
    if ranges.is_empty() || ranges.iter().any(|(first, last)| first > last) {
        return Err(InvalidPattern::EmptyClass);
    }
    Ok(Token::Class { within: !negated, ranges })
}

/// As with components: the last `*` alone is tried again.
fn matches(tokens: &[Token], text: &str) -> bool {
    let (mut token, mut rest, mut again) = (0, text, None);
    while let Some(character) = rest.chars().next() {
        match tokens.get(token) {
            Some(Token::AnyChars) => {
                again = Some((token + 1, rest));
                token += 1;
                continue;
            }
            Some(one) if one.is(character) => {
                (token, rest) = (token + 1, &rest[character.len_utf8()..]);
                continue;
            }
            _ => {}
        }
        let Some((after, from)) = again else { return false };
        let skipped: &str = from;
        let shorter = &skipped[skipped.chars().next().map_or(0, char::len_utf8)..];
        again = Some((after, shorter));
        (token, rest) = (after, shorter);
    }
    tokens[token..].iter().all(|rest| *rest == Token::AnyChars)
}

impl Token {
    fn is(&self, character: char) -> bool {
        match self {
            Self::Char(wanted) => *wanted == character,
            Self::AnyChar => true,
            Self::AnyChars => false,
            Self::Class { within, ranges } => ranges.iter().any(|(first, last)| (*first..=*last).contains(&character)) == *within,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matching(pattern: &str, name: &str) -> bool {
        Pattern::new(pattern).unwrap().matches(name)
    }

    #[test]
    fn patterns_match_as_zots_do() {
        for (pattern, matched, others) in [
            ("**", &["a", "a/b", "a/b/c"][..], &[][..]),
            ("*", &["a", "abc"], &["a/b"]),
            ("a/**", &["a", "a/b", "a/b/c"], &["ab", "b/a"]),
            ("a/*", &["a/b"], &["a", "a/b/c"]),
            ("**/a", &["a", "b/a", "b/c/a"], &["a/b", "ba"]),
            ("a/**/b", &["a/b", "a/x/b", "a/x/y/b"], &["a", "b", "a/b/c", "ab"]),
            ("a/**/b/**/c", &["a/b/c", "a/b/b/c", "a/x/b/y/c"], &["a/c", "a/b"]),
            ("a**", &["a", "abc"], &["a/b"]),
            ("infra-?", &["infra-a"], &["infra-", "infra-ab", "infra-/"]),
            ("v[0-9]", &["v1"], &["va", "v", "v12"]),
            ("v[^0-9]", &["va"], &["v1"]),
            ("v[!0-9]", &["va"], &["v1"]),
            ("{a,b}/c", &["a/c", "b/c"], &["c/c", "a,b/c"]),
            ("{a,b/{c,d}}/e", &["a/e", "b/c/e", "b/d/e"], &["b/e"]),
            ("a{,-x}", &["a", "a-x"], &["a-", "a-y"]),
            ("{a,b}/**", &["a", "b/c/d"], &["c"]),
            ("a.b", &["a.b"], &["axb"]),
            ("", &[], &["a"]),
            ("/a", &[], &["a"]),
        ] {
            for name in matched {
                assert!(matching(pattern, name), "{pattern} does not match {name}");
            }
            for name in others {
                assert!(!matching(pattern, name), "{pattern} matches {name}");
            }
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for (text, reason) in [
            ("[a", InvalidPattern::Unclosed('[')),
            ("{a", InvalidPattern::Unclosed('{')),
            ("a}", InvalidPattern::Unopened),
            ("[]", InvalidPattern::EmptyClass),
            ("[b-a]", InvalidPattern::EmptyClass),
            ("a\\", InvalidPattern::Escape),
            (&"{a,b,c,d}".repeat(6), InvalidPattern::TooMany),
            (&"a".repeat(1025), InvalidPattern::TooLong),
        ] {
            assert_eq!(Pattern::new(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn only_two_stars_match_everything() {
        assert!(Pattern::new("**").unwrap().matches_everything() && Pattern::new("{a,**}").unwrap().matches_everything());
        for text in ["*", "**/a", "a/**", "**/*", "a**"] {
            assert!(!Pattern::new(text).unwrap().matches_everything(), "{text}");
        }
    }

    /// The definition, with every way of splitting tried: exponential, and plainly right.
    fn naive(pattern: &[Component], parts: &[&str]) -> bool {
        match (pattern.split_first(), parts.split_first()) {
            (None, None) => true,
            (Some((Component::AnyDepth, rest)), _) => (0..=parts.len()).any(|taken| naive(rest, &parts[taken..])),
            (Some((Component::Of(tokens), rest)), Some((part, parts))) => {
                naive_component(tokens, &part.chars().collect::<Vec<_>>()) && naive(rest, parts)
            }
            _ => false,
        }
    }

    fn naive_component(tokens: &[Token], text: &[char]) -> bool {
        match (tokens.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((Token::AnyChars, rest)), _) => (0..=text.len()).any(|taken| naive_component(rest, &text[taken..])),
            (Some((token, rest)), Some((character, text))) => token.is(*character) && naive_component(rest, text),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn trying_the_last_star_again_is_enough(pattern in "([ab*?/]|\\*\\*/|\\[ab\\]|\\{a,b/\\*\\}){0,8}", name in "[ab]{1,3}(/[ab]{1,3}){0,4}") {
            let pattern = Pattern::new(&pattern).unwrap();
            let parts: Vec<&str> = name.split('/').collect();
            let expected = pattern.alternatives.iter().any(|alternative| naive(&alternative.components, &parts));
            prop_assert_eq!(pattern.matches(&name), expected);
        }

        #[test]
        fn what_is_matched_begins_with_a_prefix(pattern in "[ab]{0,2}([ab*?/]|\\*\\*/|\\{a,b/\\*\\}){0,6}", name in "[ab]{1,3}(/[ab]{1,3}){0,4}") {
            let pattern = Pattern::new(&pattern).unwrap();
            if pattern.matches(&name) {
                prop_assert!(pattern.prefixes().any(|prefix| name.starts_with(&prefix)));
            }
        }

        #[test]
        fn no_text_makes_the_parser_fail(text in "([a-z{}\\[\\],^!*?/\\\\-]|\\PC){0,24}", name in "[a-z/]{0,20}") {
            if let Ok(pattern) = Pattern::new(&text) {
                pattern.matches(&name);
            }
        }
    }
}
