//! Whether somebody serves from stores that several processes reach. No lock is there for them, so that addresses are all that can be asked.

use std::time::Duration;

use futures::future::join_all;
use tokio::{net::TcpStream, time::timeout};
use zot_config::Config;

/// How long an address may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// A process serves.
#[derive(Debug, thiserror::Error)]
#[error(
    "{address} answers, and no process may serve while the metadata of its stores is thrown away: \
     end all of `zot` and `zot-node` that use these stores, and run this again"
)]
pub(super) struct Served {
    address: String,
}

/// Refuses to go on while something listens where a process of this configuration that has stores would: the nodes of its cluster, or the one
/// process of this host.
pub(super) async fn refuse_while_served(config: &Config) -> Result<(), Served> {
    let addresses = match &config.cluster {
        None => vec![config.http.local_address()],
        Some(cluster) => cluster.node_addresses().into_iter().chain(cluster.advertise.clone()).collect(),
    };
    let answered = join_all(addresses.into_iter().map(answering)).await;
    match answered.into_iter().flatten().next() {
        Some(address) => Err(Served { address }),
        None => Ok(()),
    }
}

/// The address, if something listens there. Even one that refuses whoever asks is there.
async fn answering(address: String) -> Option<String> {
    let connected = timeout(ANSWER_MAX, TcpStream::connect(&address)).await;
    connected.is_ok_and(|connected| connected.is_ok()).then_some(address)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn config(section: &str) -> Config {
        let text = format!(r#"{{"storage": {{"rootDirectory": "/d"}}, {section}}}"#);
        Config::parse("c.json".as_ref(), &text).unwrap().config
    }

    /// What listens until it is dropped, with its port.
    async fn listening() -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    #[tokio::test]
    async fn the_process_of_this_host_is_in_the_way_until_it_ends() {
        let (listener, port) = listening().await;
        let config = config(&format!(r#""http": {{"address": "0.0.0.0", "port": "{port}"}}"#));
        let served = refuse_while_served(&config).await.unwrap_err();
        assert_eq!(served.address, format!("127.0.0.1:{port}"));
        drop(listener);
        refuse_while_served(&config).await.unwrap();
    }

    #[tokio::test]
    async fn any_node_of_a_cluster_is_in_the_way_and_no_gateway() {
        let (node, port) = listening().await;
        let (_gateway, http) = listening().await;
        let own = format!(r#""advertise": "127.0.0.1:{port}", "nodes": ["127.0.0.1:1"]"#);
        for cluster in [format!(r#""nodes": ["127.0.0.1:1", "127.0.0.1:{port}"]"#), own] {
            let config = config(&format!(
                r#""http": {{"address": "127.0.0.1", "port": "{http}"}}, "cluster": {{"hashKey": "sixteen-letters!", {cluster}}}"#
            ));
            assert_eq!(refuse_while_served(&config).await.unwrap_err().address, format!("127.0.0.1:{port}"), "{cluster}");
        }
        drop(node);
        let config = config(&format!(
            r#""http": {{"address": "127.0.0.1", "port": "{http}"}}, "cluster": {{"hashKey": "sixteen-letters!", "nodes": ["127.0.0.1:{port}"]}}"#
        ));
        refuse_while_served(&config).await.unwrap();
    }
}
