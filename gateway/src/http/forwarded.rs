//! Who a client is behind proxies that are trusted to say so (the `X-Forwarded-For` that load balancers send).

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use zot_auth::Peer;
use zot_config::http::Network;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client at the end of a chain of trusted proxies: the last address that no trusted proxy has. Its port is not known, and 0.
pub(super) fn client(peer: Arc<Peer>, headers: &HeaderMap, trusted: &[Network]) -> Arc<Peer> {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(peer.address.ip()) {
        return peer;
    }
    // As bytes: what a client puts before a proxy's word may be no text, and must not hide it.
    let values: Vec<&[u8]> = headers.get_all(FORWARDED_FOR).iter().map(HeaderValue::as_bytes).collect();
    let mut client = peer.address.ip();
    for said in values.iter().rev().flat_map(|value| value.rsplit(|byte| *byte == b',')) {
        // What cannot be read was not written by a proxy that is trusted.
        let Some(address) = str::from_utf8(said).ok().and_then(|said| address(said.trim())) else { break };
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
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use zot_config::Config;

    use super::*;

    static TRUSTED: LazyLock<Vec<Network>> = LazyLock::new(|| {
        let file = r#"{"storage": {"rootDirectory": "/d"}, "http": {"trustedProxies": ["10.0.0.0/8", "::1"]}}"#;
        Config::parse("c.json".as_ref(), file).unwrap().config.http.trusted_proxies
    });

    fn seen<T: AsRef<[u8]>>(peer: &str, forwarded: &[T]) -> String {
        let headers = forwarded.iter().map(|value| (FORWARDED_FOR, HeaderValue::from_bytes(value.as_ref()).unwrap())).collect();
        client(Arc::new(Peer::plain(peer.parse().unwrap())), &headers, &TRUSTED).address.to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(seen("192.0.2.1:5", &["203.0.113.9"]), "192.0.2.1:5");
        assert_eq!(seen("10.0.0.1:5", &["203.0.113.9"]), "203.0.113.9:0");
        assert_eq!(seen("[::1]:5", &["203.0.113.9"]), "203.0.113.9:0");
        assert_eq!(seen::<&str>("10.0.0.1:5", &[]), "10.0.0.1:5");
    }

    #[test]
    fn a_chain_ends_at_the_last_that_is_not_trusted() {
        assert_eq!(seen("10.0.0.1:5", &["6.6.6.6, 203.0.113.9, 10.0.0.7"]), "203.0.113.9:0");
        assert_eq!(seen("10.0.0.1:5", &["6.6.6.6", "203.0.113.9:1234, 10.0.0.7"]), "203.0.113.9:0");
        assert_eq!(seen("10.0.0.1:5", &["10.0.0.8"]), "10.0.0.8:0");
        assert_eq!(seen("10.0.0.1:5", &["203.0.113.9, unknown"]), "10.0.0.1:5");
        assert_eq!(seen("10.0.0.1:5", &["[2001:db8::1]:80"]), "[2001:db8::1]:0");
    }

    /// What a client may send: anything that a header can hold, and what looks like a chain.
    fn any_values() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let byte = prop_oneof![Just(b'\t'), 0x20..0x7f_u8, 0x80..=0xff_u8];
        let value = prop_oneof![prop::collection::vec(byte, 0..20), "[0-9a-f.:,\\[\\] ]{0,30}".prop_map(String::into_bytes)];
        prop::collection::vec(value, 0..4)
    }

    proptest! {
        #[test]
        fn nobody_is_believed_who_is_not_trusted(values in any_values()) {
            prop_assert_eq!(seen("192.0.2.1:5", &values), "192.0.2.1:5");
        }

        #[test]
        fn what_a_client_says_does_not_change_who_it_is(values in any_values(), trusted in 0..3_usize) {
            let chain = format!("203.0.113.9{}", ", 10.0.0.7".repeat(trusted));
            let as_another = [values.clone(), vec![chain.clone().into()]].concat();
            prop_assert_eq!(seen("10.0.0.1:5", &as_another), "203.0.113.9:0");
            let mut in_the_last = values;
            let last = in_the_last.pop().unwrap_or_default();
            in_the_last.push([last, b", ".to_vec(), chain.into_bytes()].concat());
            prop_assert_eq!(seen("10.0.0.1:5", &in_the_last), "203.0.113.9:0");
        }

        #[test]
        fn an_address_is_read_with_and_without_its_port(address in any::<[u8; 16]>().prop_map(IpAddr::from), port in any::<u16>()) {
            for text in [address.to_string(), format!("[{address}]"), SocketAddr::new(address, port).to_string()] {
                prop_assert_eq!(super::address(&text), Some(address), "{}", text);
            }
        }
    }
}
