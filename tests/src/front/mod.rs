//! A load balancer in front of gateways: round robin for every request, so that the requests of one push each meet another gateway.
//!
//! It may also give its test a registry of its own on gateways that many tests share: see [`Names`].

mod catalog;
mod exchange;
mod gateways;
mod names;

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{net::TcpListener, task::AbortHandle};

use crate::client::Client;

pub use self::names::Names;
use self::{exchange::Exchange, gateways::Gateways};

/// A front that serves as long as it is there.
pub struct Front {
    address: SocketAddr,
    gateways: Arc<Gateways>,
    tasks: [AbortHandle; 2],
}

impl Front {
    /// Serves on a port of its own what the gateways at these addresses serve.
    pub async fn start(gateways: impl IntoIterator<Item = SocketAddr>, names: Names) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let gateways = Arc::new(Gateways::new(gateways));
        let exchange = Arc::new(Exchange { gateways: gateways.clone(), names });
        let watching = gateways.clone();
        let tasks = [tokio::spawn(serve(listener, exchange)).abort_handle(), tokio::spawn(watching.watch()).abort_handle()];
        Self { address, gateways, tasks }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address, like `http://127.0.0.1:12345`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client of it, with connections of its own.
    pub fn client(&self) -> Client {
        Client::new(&self.url())
    }

    /// How many requests it has sent to each gateway.
    pub fn shares(&self) -> Vec<usize> {
        self.gateways.shares()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

async fn serve(listener: TcpListener, exchange: Arc<Exchange>) {
    // What was accepted is ended by the end of the runtime at the latest.
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).ok();
        let exchange = exchange.clone();
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let exchange = exchange.clone();
                async move { Ok::<_, Infallible>(exchange.answer(request).await) }
            });
            // A client that goes away amidst its request is the client's affair.
            auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await.ok();
        });
    }
}
