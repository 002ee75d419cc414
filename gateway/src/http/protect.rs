//! What responses tell browsers not to do with them. Constant values: this is part of every request.

use axum::http::{HeaderMap, HeaderValue, header};
use zot_auth::Peer;

/// Content is what its type says, whatever it looks like.
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
/// Whoever reached the registry over TLS comes back over TLS, for a year (RFC 6797).
const ONLY_TLS: HeaderValue = HeaderValue::from_static("max-age=31536000");
/// Where people log in and out, and tools get what they log in with.
const CREDENTIALS: &str = "/zot/auth/";
/// Nothing is loaded, run, framed or sent from there.
const NOTHING_ACTIVE: HeaderValue =
    HeaderValue::from_static("default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
/// The same for browsers that do not know `frame-ancestors`.
const NO_FRAMES: HeaderValue = HeaderValue::from_static("DENY");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Adds it to the response to whatever `peer` asked for at `path`, errors too.
pub(super) fn protect(headers: &mut HeaderMap, path: &str, peer: &Peer) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    if peer.tls.is_some() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, ONLY_TLS);
    }
    if path.starts_with(CREDENTIALS) {
        headers.insert(header::CONTENT_SECURITY_POLICY, NOTHING_ACTIVE);
        headers.insert(header::X_FRAME_OPTIONS, NO_FRAMES);
        headers.insert(header::REFERRER_POLICY, NO_REFERRER);
        headers.insert(header::CACHE_CONTROL, NO_STORE);
    }
}

#[cfg(test)]
mod tests {
    use zot_auth::PeerTls;

    use super::*;

    #[test]
    fn only_what_came_over_tls_comes_back_over_tls() {
        let plain = Peer::plain("192.0.2.1:5".parse().unwrap());
        let secured = Peer { tls: Some(PeerTls { version: "1.3", certificate: None }), ..plain.clone() };
        for (peer, expected) in [(plain, None), (secured, Some(&ONLY_TLS))] {
            let mut headers = HeaderMap::new();
            protect(&mut headers, "/v2/", &peer);
            assert_eq!(headers.get(header::STRICT_TRANSPORT_SECURITY), expected);
        }
    }
}
