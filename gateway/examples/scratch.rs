//! scratch
use std::sync::Arc;
use zot_gateway::{http::*, server::*};
#[tokio::main]
async fn main() {
    let logs = Logs { access: zot_runtime::telemetry::AccessLog::disabled(), audit: None };
    let options = Options { docker_schema_2: true, ..Options::default() };
    let gateway = Arc::new(Gateway::new(Arc::new(zot_contract::MemoryRegistry::default()), options, Health::new(), logs));
    let server = Server::bind("127.0.0.1:18931", None, gateway, &ServerOptions::default()).await.unwrap();
    println!("{}", server.address());
    server.serve(tokio_util::sync::CancellationToken::new()).await;
}
