//! Where a browser is sent after a login: a place of the registry's own pages, or of a site that the configuration trusts, and nowhere else.

use url::{Origin, Url};

/// Where everybody is sent who asked for a place that is not allowed.
const START: &str = "/";
/// The longest place that is remembered during a login, in bytes.
const PLACE_BYTES_MAX: usize = 2048;

/// The sites that a browser may be sent to.
#[derive(Debug, Clone)]
pub(super) struct Destinations {
    /// What places without a site are resolved against.
    base: Url,
    allowed: Vec<Origin>,
}

impl Destinations {
    /// The site of the registry itself and those of `others`; of the latter, what is no URL of HTTP is none.
    pub(super) fn new<'a>(own: Url, others: impl IntoIterator<Item = &'a str>) -> Self {
        let others = others.into_iter().filter_map(|text| Url::parse(text).ok()).filter(is_web).map(|url| url.origin());
        let allowed = [own.origin()].into_iter().chain(others).collect();
        Self { base: own, allowed }
    }

    /// The place itself if it is allowed, [`START`] if not, and nothing if there is none.
    pub(super) fn check(&self, asked: &str) -> Option<String> {
        if asked.is_empty() {
            return None;
        }
        Some(self.allowed(asked).unwrap_or_else(|| START.to_owned()))
    }

    fn allowed(&self, asked: &str) -> Option<String> {
        // What browsers drop, or read as a slash, would make something else of it than was checked here.
        let plain = asked.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        if !plain || asked.len() > PLACE_BYTES_MAX || asked.to_ascii_lowercase().contains("%5c") {
            return None;
        }
        if let Some(rest) = asked.strip_prefix('/') {
            return self.is_own(rest, asked).then(|| asked.to_owned());
        }
        let url = Url::parse(asked).ok().filter(is_web)?;
        let named = url.username().is_empty() && url.password().is_none() && !authority(asked).contains('@');
        (named && self.allowed.contains(&url.origin())).then(|| url.into())
    }

    /// Whether what begins with one slash is a path, and stays one however it is read.
    fn is_own(&self, rest: &str, asked: &str) -> bool {
        let doubled = rest.starts_with('/') || rest.to_ascii_lowercase().starts_with("%2f");
        let resolved = self.base.join(asked);
        !doubled && resolved.is_ok_and(|url| url.origin() == self.base.origin() && !url.path().starts_with("//"))
    }
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

/// What stands between the scheme and the path.
fn authority(url: &str) -> &str {
    let rest = url.split_once("//").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destinations() -> Destinations {
        Destinations::new(
            Url::parse("http://127.0.0.1:8080").unwrap(),
            ["https://ui.example.org", "https://reg.example.org:443/", "nonsense"],
        )
    }

    #[test]
    fn own_places_and_trusted_sites_are_kept() {
        for asked in [
            "/",
            "/home",
            "/image/a%2Fb?tab=tags&x=http://evil.example#top",
            "http://127.0.0.1:8080/home",
            "https://ui.example.org/a?b=c",
            "https://reg.example.org/x",
        ] {
            assert_eq!(destinations().check(asked).as_deref(), Some(asked), "{asked}");
        }
        assert_eq!(destinations().check("HTTPS://UI.example.org").as_deref(), Some("https://ui.example.org/"));
        assert_eq!(destinations().check(""), None);
    }

    #[test]
    fn nobody_is_sent_anywhere_else() {
        for asked in [
            "//evil.example",
            "///evil.example",
            "////evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/%5cevil.example",
            "/%5Cevil.example",
            "/a/%5c%5cevil.example",
            "/%2fevil.example",
            "/%2F%2Fevil.example",
            "/..//evil.example",
            "/.//evil.example",
            "/a/..//evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/\r\nSet-Cookie: session=x",
            "\t//evil.example",
            " //evil.example",
            "/ /evil.example",
            "evil.example",
            "home",
            "?x",
            "http:evil.example",
            "http:/evil.example",
            "http:///evil.example",
            "https://evil.example",
            "http://127.0.0.1:8080@evil.example",
            "http://127.0.0.1:8080.evil.example",
            "http://127.0.0.1:8081/home",
            "https://127.0.0.1:8080/home",
            "http://user@127.0.0.1:8080/home",
            "http://@127.0.0.1:8080/home",
            "http://127.0.0.1:8080\\@evil.example",
            "http://127.0.0.1:8080%5c@evil.example",
            "https://ui.example.org.evil.example",
            "https://evil.example/https://ui.example.org",
            "http://ui.example.org",
            "https://ui.example.org:8443",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "data:text/html,x",
            "ftp://127.0.0.1:8080/",
            "file:///etc/passwd",
            "blob:http://127.0.0.1:8080/x",
            "/\u{2028}x",
            "/ü",
            "https://ui。example.org",
            "\0",
            &format!("/{}", "a".repeat(3000)),
        ] {
            assert_eq!(destinations().check(asked).as_deref(), Some("/"), "{asked}");
        }
    }
}
