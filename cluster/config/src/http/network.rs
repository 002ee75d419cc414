//! A network of IP addresses, as settings name it.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use crate::setting::{Found, Setting};

/// A network, like `10.0.0.0/8`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    /// Whether it has this address; an IPv4 address in the form of IPv6 is one of IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// The network of IPv4 that one in the form of IPv6 stands for.
fn canonical(network: IpNet) -> IpNet {
    const BITS_BEFORE_IPV4: u8 = 96;
    match (network.addr().to_canonical(), network.prefix_len().checked_sub(BITS_BEFORE_IPV4)) {
        (address @ IpAddr::V4(_), Some(bits)) => IpNet::new(address, bits).unwrap_or(network),
        _ => network,
    }
}

impl Setting for Network {
    fn read(found: &Found<'_>) -> Option<Self> {
        let text = String::read(found)?;
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        match network {
            Ok(network) => Some(Self(canonical(network))),
            Err(_) => {
                found.refuse(format!("expected an address or a network like `10.0.0.0/8`, found {text:?}"));
                None
            }
        }
    }

    fn show(&self) -> Value {
        Value::from(self.0.to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{key_path::KeyPath, report::Report};

    fn read(text: &str) -> Option<Network> {
        Network::read(&Found { value: &Value::from(text), path: &KeyPath::root(), report: &Report::default() })
    }

    /// Addresses of both kinds, and those of IPv4 in the form of IPv6.
    fn addresses() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<[u8; 4]>().prop_map(IpAddr::from),
            any::<[u8; 16]>().prop_map(IpAddr::from),
            any::<[u8; 4]>().prop_map(|octets| std::net::Ipv4Addr::from(octets).to_ipv6_mapped().into()),
        ]
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in prop_oneof![".{0,40}", "[0-9a-f.:]{0,20}(/[0-9]{0,4})?"]) {
            let _ = read(&text);
        }

        #[test]
        fn a_network_has_the_address_that_it_is_written_with(address in addresses(), left_out in 0..=32_u8) {
            let bits = if address.is_ipv4() { 32 } else { 128 };
            for text in [address.to_string(), format!("{address}/{}", bits - left_out)] {
                let network = read(&text);
                prop_assert!(network.is_some_and(|network| network.contains(address)), "{text}");
                prop_assert_eq!(network.and_then(|network| read(network.show().as_str()?)), network);
            }
        }
    }
}
