//! A network between the processes of a cluster, in which one node can be kept apart from others in both directions.

use zot_services::{Processes, Proxy};
use zot_tests::Cluster;

/// Starts every process of a cluster with a proxy before each node. What is wrong with the proxies is what `apart` and the other nodes meet on their
/// ways to each other, and gateways on theirs to `apart` if they are kept from it too.
pub(super) async fn start_with(cluster: &mut Cluster, apart: usize, from_gateways: bool) -> Vec<Proxy> {
    let [node, others] = [(); 2].map(|()| Processes::default());
    let mut proxies = Vec::new();
    for (number, member) in cluster.nodes().iter().enumerate() {
        let kept_out = if number == apart { &others } else { &node };
        proxies.push(Proxy::start_for(kept_out.clone(), member.address().port()).await);
    }
    let addresses: Vec<String> = proxies.iter().map(|proxy| format!("127.0.0.1:{}", proxy.port())).collect();
    cluster.set("/cluster/nodes", addresses.clone());
    for (number, address) in addresses.into_iter().enumerate() {
        let member = cluster.node(number);
        member.set("/cluster/advertise", address);
        let side = if number == apart { &node } else { &others };
        side.add(|| {
            member.spawn();
            member.pid()
        });
    }
    if from_gateways {
        for number in 0..cluster.gateways().len() {
            let gateway = cluster.gateway(number);
            others.add(|| {
                gateway.spawn();
                gateway.pid()
            });
        }
    }
    cluster.start().await;
    proxies
}
