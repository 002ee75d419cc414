//! Whether an address belongs to this machine.

use std::io::{self, ErrorKind};
use std::net::{TcpListener, ToSocketAddrs};

use crate::http::Http;
use crate::key_path::KeyPath;
use crate::report::Report;

/// Why nobody can listen on an address.
#[derive(Debug, thiserror::Error)]
pub enum Unlistenable {
    /// The host of it is unknown.
    #[error("`{address}` cannot be resolved")]
    Unresolved {
        /// The address.
        address: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not of this machine, or not for this user.
    #[error("cannot listen on {address}")]
    Refused {
        /// The address.
        address: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Tries whether an address could be listened on. One in use could: it may be the registry itself that is running.
///
/// # Errors
/// It could not.
pub fn try_listening(address: &str) -> Result<(), Unlistenable> {
    let resolved = address.to_socket_addrs().map(Iterator::collect::<Vec<_>>);
    let addresses = resolved.map_err(|source| Unlistenable::Unresolved { address: address.to_owned(), source })?;
    // The listener is closed at once; a port that was listened on without a connection is free again immediately.
    match TcpListener::bind(addresses.as_slice()) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Ok(()),
        Err(source) => Err(Unlistenable::Refused { address: address.to_owned(), source }),
    }
}

/// Reports an address that has no meaning here, or that cannot be listened on for another reason than being in use.
pub(super) fn check(http: &Http, path: &KeyPath, report: &Report) {
    let Err(error) = try_listening(&http.listen_address()) else { return };
    match &error {
        Unlistenable::Unresolved { source, .. } => {
            report.problem(&path.key("address"), format!("`{}` cannot be resolved: {source}", http.address));
        }
        Unlistenable::Refused { source, .. } => {
            let key = if source.kind() == ErrorKind::PermissionDenied { "port" } else { "address" };
            report.problem(&path.key(key), format!("{error}: {}", source.kind()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(address: &str, port: u16) -> Vec<String> {
        let report = Report::default();
        let http = Http { address: address.to_owned(), port, ..Http::default() };
        check(&http, &KeyPath::of("http"), &report);
        report.into_parts().0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_address_of_this_machine_is_fine_even_in_use() {
        let running = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = running.local_addr().unwrap().port();
        assert_eq!(problems("127.0.0.1", port), Vec::<String>::new());
        assert_eq!(problems("127.0.0.1", 0), Vec::<String>::new());
    }

    #[test]
    fn an_address_of_another_machine_is_a_problem() {
        // TEST-NET-1 belongs to nobody.
        let said = problems("192.0.2.1", 0);
        assert!(said[0].starts_with("http.address: cannot listen on 192.0.2.1:0: "), "{said:?}");
    }
}
