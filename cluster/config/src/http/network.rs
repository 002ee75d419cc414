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

impl Setting for Network {
    fn read(found: &Found<'_>) -> Option<Self> {
        let text = String::read(found)?;
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        match network {
            Ok(network) => Some(Self(network)),
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
