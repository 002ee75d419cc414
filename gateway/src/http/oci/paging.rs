//! Lists in pages: the parameters `n` and `last`, and the `Link` to the next page (distribution-spec, "Listing Tags", "Listing Referrers").

use std::fmt::Display;

use axum::http::HeaderValue;
use zot_contract::{Page, PageRequest};
use zot_oci::ErrorCode;

use crate::http::{Call, Refusal, header::value, percent::encode_query};

/// Which page is asked for.
pub(super) struct Paging {
    entries: usize,
    last: Option<String>,
    /// Further parameters of its links.
    filters: String,
}

impl Paging {
    /// Reads the parameters. Without `n`, or with one beyond the limit, a page is as long as the limit and the rest is behind its link.
    pub(super) fn of(call: &Call<'_>) -> Result<Self, Refusal> {
        let query = call.query()?;
        let limit = call.options.page_entries_max;
        let entries = query.one("n")?.map(number).transpose()?.map_or(limit, |n| n.min(limit));
        let last = query.one("last")?.filter(|last| !last.is_empty());
        Ok(Self { entries, last: last.map(str::to_owned), filters: String::new() })
    }

    /// The same, whose links ask for these values of a parameter too.
    pub(super) fn filtered(mut self, name: &'static str, values: &[&str]) -> Self {
        for value in values {
            self.filters.push_str(&format!("&{name}={}", encode_query(value)));
        }
        self
    }

    /// The page to ask a registry for. An empty page is still asked for, so that an unknown repository is noticed.
    pub(super) fn request(&self) -> PageRequest {
        let entries_max = self.entries.max(1);
        match &self.last {
            Some(last) => PageRequest::after(last, entries_max),
            None => PageRequest::first(entries_max),
        }
    }

    /// The entries to show of the page that was got.
    pub(super) fn entries<'p, T>(&self, page: &'p Page<T>) -> &'p [T] {
        if self.entries == 0 { &[] } else { &page.entries }
    }

    /// The link to the next page of the list at `path`, if there is more of it.
    pub(super) fn link<T: Display>(&self, path: impl Display, page: &Page<T>) -> Option<HeaderValue> {
        let last = page.entries.last().filter(|_| page.more)?;
        self.link_after(path, last)
    }

    /// The link to what comes after `last`; none from a page that was to show nothing.
    pub(super) fn link_after(&self, path: impl Display, last: &impl Display) -> Option<HeaderValue> {
        let link = || value(format!("<{path}?n={}&last={last}{}>; rel=\"next\"", self.entries, self.filters));
        (self.entries > 0).then(link)
    }
}

/// Any whole number; one too large to hold is as good as the largest.
fn number(text: &str) -> Result<usize, Refusal> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::bad_request(ErrorCode::Unsupported, "parameter `n` must be a whole number"));
    }
    Ok(text.parse().unwrap_or(usize::MAX))
}

/// A JSON list of entries that need no escaping, as names and tags do not.
pub(super) fn list<T: AsRef<str>>(entries: impl IntoIterator<Item = T>) -> String {
    let mut list = String::from("[");
    for entry in entries {
        list.push_str(if list.len() > 1 { ",\"" } else { "\"" });
        list.push_str(entry.as_ref());
        list.push('"');
    }
    list.push(']');
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_clamped_never_refused_for_their_size() {
        for (text, number_of) in [("0", 0), ("7", 7), ("99999999999999999999999", usize::MAX)] {
            assert_eq!(number(text).ok(), Some(number_of), "{text}");
        }
        for text in ["", "-1", "+1", "1.5", "x", " 1"] {
            assert!(number(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn lists_are_json() {
        assert_eq!(list::<&str>([]), "[]");
        assert_eq!(list(["a", "b/c"]), r#"["a","b/c"]"#);
    }

    #[test]
    fn a_link_continues_after_the_last_entry_shown() {
        let page = Page { entries: vec!["a", "b"], more: true };
        let paging = |entries| Paging { entries, last: None, filters: String::new() };
        let link = paging(2).link("/v2/x/tags/list", &page).unwrap();
        assert_eq!(link, "</v2/x/tags/list?n=2&last=b>; rel=\"next\"");
        let filtered = paging(2).filtered("artifactType", &["a/b+c", "d&e"]);
        let filtered = filtered.link("/v2/x", &page).unwrap();
        assert_eq!(filtered, "</v2/x?n=2&last=b&artifactType=a%2Fb%2Bc&artifactType=d%26e>; rel=\"next\"");
        assert_eq!(paging(0).link("/v2/x/tags/list", &page), None);
        assert_eq!(paging(2).link("/", &Page { more: false, ..page }), None);
    }
}
