//! Who a client is behind proxies that are trusted to say so (the `X-Forwarded-For` that load balancers send).

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::http::{HeaderMap, HeaderName};
use zot_auth::Peer;
use zot_config::http::Network;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client at the end of a chain of trusted proxies: the last address that no trusted proxy has. Its port is not known, and 0.
pub(super) fn client(peer: Arc<Peer>, headers: &HeaderMap, trusted: &[Network]) -> Arc<Peer> {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(peer.address.ip()) {
        return peer;
    }
    let values: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
    let mut client = peer.address.ip();
    for said in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        // What cannot be read was not written by a proxy that is trusted.
        let Some(address) = address(said.trim()) else { break };
        client = address;
        if !is_trusted(address) {
            break;
        }
    }
    if client == peer.address.ip() {
        return peer;
    }
    Arc::new(Peer { address: SocketAddr::new(client, 0), ..(*peer).clone() })
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let unbracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    unbracketed.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use zot_config::Config;

    use super::*;

    fn seen(peer: &str, forwarded: &[&'static str]) -> String {
        let file = r#"{"storage": {"rootDirectory": "/d"}, "http": {"trustedProxies": ["10.0.0.0/8", "::1"]}}"#;
        let trusted = Config::parse("c.json".as_ref(), file).unwrap().config.http.trusted_proxies;
        let headers = forwarded.iter().map(|value| (FORWARDED_FOR, HeaderValue::from_static(value))).collect();
        client(Arc::new(Peer::plain(peer.parse().unwrap())), &headers, &trusted).address.to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(seen("192.0.2.1:5", &["203.0.113.9"]), "192.0.2.1:5");
        assert_eq!(seen("10.0.0.1:5", &["203.0.113.9"]), "203.0.113.9:0");
        assert_eq!(seen("[::1]:5", &["203.0.113.9"]), "203.0.113.9:0");
        assert_eq!(seen("10.0.0.1:5", &[]), "10.0.0.1:5");
    }

    #[test]
    fn a_chain_ends_at_the_last_that_is_not_trusted() {
        assert_eq!(seen("10.0.0.1:5", &["6.6.6.6, 203.0.113.9, 10.0.0.7"]), "203.0.113.9:0");
        assert_eq!(seen("10.0.0.1:5", &["6.6.6.6", "203.0.113.9:1234, 10.0.0.7"]), "203.0.113.9:0");
        assert_eq!(seen("10.0.0.1:5", &["10.0.0.8"]), "10.0.0.8:0");
        assert_eq!(seen("10.0.0.1:5", &["203.0.113.9, unknown"]), "10.0.0.1:5");
        assert_eq!(seen("10.0.0.1:5", &["[2001:db8::1]:80"]), "[2001:db8::1]:0");
    }
}
