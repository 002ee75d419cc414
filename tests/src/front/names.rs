//! A registry of its own for each of many tests on the same gateways: every repository of a test is beneath a name that only it has.
//!
//! The test sees none of this: the name is put into paths on their way out, and taken out of headers and lists on their way back.

use http::{HeaderMap, StatusCode, header};

/// The name beneath which the repositories of a test are, if there is one.
#[derive(Debug, Clone, Default)]
pub struct Names(Option<String>);

impl Names {
    /// Repositories have the names that the test gives them.
    pub fn as_they_are() -> Self {
        Self(None)
    }

    /// Repositories are beneath `name`, which nothing else may contain.
    pub fn beneath(name: &str) -> Self {
        Self(Some(name.to_owned()))
    }

    /// The name, with the slash after it.
    pub(super) fn prefix(&self) -> Option<String> {
        self.0.as_ref().map(|name| format!("{name}/"))
    }

    /// A path and query of the test as the gateways know it.
    pub fn outward(&self, path: &str) -> String {
        let (Some(prefix), Some(rest)) = (self.prefix(), path.strip_prefix("/v2/")) else { return path.to_owned() };
        if rest.is_empty() || rest.starts_with(['_', '?']) {
            return path.to_owned();
        }
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        let query = query.map(|query| query.split('&').map(|pair| mounted_from(pair, &prefix)).collect::<Vec<_>>().join("&"));
        format!("/v2/{prefix}{path}{}", query.map(|query| format!("?{query}")).unwrap_or_default())
    }

    /// A text of a gateway as the test should see it.
    pub fn inward(&self, text: &str) -> String {
        self.prefix().map_or_else(|| text.to_owned(), |prefix| text.replace(&prefix, ""))
    }

    /// Whether `path` is that of a list in which other tests' repositories are, too.
    pub(super) fn hides_others_in(&self, path: &str) -> bool {
        self.0.is_some() && path.split('?').next() == Some("/v2/_catalog")
    }

    /// Whether names stand in the body of an answer: those of lists and errors do, content is never touched.
    pub(super) fn stand_in(&self, path: &str, status: StatusCode, headers: &HeaderMap) -> bool {
        let is_content = !status.is_client_error() && !path.contains("/tags/list");
        self.0.is_some() && !is_content && headers.get(header::CONTENT_TYPE).is_some_and(|of| of == "application/json")
    }
}

fn mounted_from(pair: &str, prefix: &str) -> String {
    pair.strip_prefix("from=").map_or_else(|| pair.to_owned(), |from| format!("from={prefix}{from}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_of_repositories_get_the_name_and_no_others() {
        let names = Names::beneath("t1");
        for (path, outward) in [
            ("/v2/a/tags/list?n=1", "/v2/t1/a/tags/list?n=1"),
            ("/v2/a/b/blobs/uploads/?mount=sha256:0&from=c", "/v2/t1/a/b/blobs/uploads/?mount=sha256:0&from=t1/c"),
            ("/v2/", "/v2/"),
            ("/v2/?token=x", "/v2/?token=x"),
            ("/v2", "/v2"),
            ("/v2/_oci/ext/discover", "/v2/_oci/ext/discover"),
            ("/readyz", "/readyz"),
        ] {
            assert_eq!(names.outward(path), outward);
            assert_eq!(names.inward(outward), path);
            assert_eq!(Names::as_they_are().outward(path), path);
        }
    }
}
