//! What stands between the store and the server: passes bytes on, cuts answers off, or speaks TLS.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::aws_lc_rs},
};

/// A proxy in front of a server; gone when it is dropped.
pub(crate) struct Proxy {
    pub(crate) address: String,
    pub(crate) cuts: Arc<Cuts>,
    accepting: JoinHandle<()>,
}

/// Which answers are cut off, and which connections get none but a refusal.
#[derive(Default)]
pub(crate) struct Cuts {
    /// How many more connections are refused.
    refusals: AtomicUsize,
    /// How many more.
    left: AtomicUsize,
    /// After how many bytes.
    after: AtomicU64,
}

impl Cuts {
    /// Cuts off the next answers that are longer than `after` bytes.
    pub(crate) fn cut(&self, times: usize, after: u64) {
        self.after.store(after, Ordering::SeqCst);
        self.left.store(times, Ordering::SeqCst);
    }

    /// Answers the first request of the next new connections with `503 SlowDown`, and closes them.
    pub(crate) fn refuse(&self, times: usize) {
        self.refusals.store(times, Ordering::SeqCst);
    }
}

fn one_less(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl Proxy {
    /// In front of the server at `endpoint`.
    pub(crate) async fn plain(endpoint: &str) -> Self {
        Self::start("http", endpoint, None).await
    }

    /// In front of the server at `endpoint`, with a certificate that nobody signed.
    pub(crate) async fn tls(endpoint: &str) -> Self {
        let certified = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let key = rustls_pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = builder.with_single_cert(vec![certified.cert.der().clone()], key).unwrap();
        Self::start("https", endpoint, Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn start(scheme: &str, endpoint: &str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = format!("{scheme}://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let (server, cuts) = (endpoint.strip_prefix("http://").unwrap().to_owned(), Arc::<Cuts>::default());
        let shared = cuts.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, tls.clone(), server.clone(), shared.clone()));
            }
        });
        Self { address, cuts, accepting }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut client: TcpStream, tls: Option<TlsAcceptor>, server: String, cuts: Arc<Cuts>) {
    if one_less(&cuts.refusals) {
        return refuse(client).await;
    }
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    match tls {
        // A client that does not believe the certificate goes away.
        Some(tls) => drop(async { copy_bidirectional(&mut tls.accept(client).await?, &mut server).await }.await),
        None => {
            let ((from, to), (answers, questions)) = (client.split(), server.split());
            tokio::select! {
                _ = pass(from, questions, None) => {}
                _ = pass(answers, to, Some(&cuts)) => {}
            }
        }
    }
}

async fn refuse(mut client: TcpStream) {
    const BODY: &str = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
    // All of the request is read before the answer, or closing would reset the connection before the answer is read.
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if !matches!(client.read_buf(&mut request).await, Ok(read) if read > 0) {
            return;
        }
    }
    let answer = format!("HTTP/1.1 503 Slow Down\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{BODY}", BODY.len());
    client.write_all(answer.as_bytes()).await.ok();
    while matches!(client.read_buf(&mut request).await, Ok(read) if read > 0) {}
}

/// Passes bytes on until either end closes or an answer is cut off.
async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, cuts: Option<&Cuts>) -> std::io::Result<()> {
    let (mut buffer, mut passed) = (vec![0; 16 << 10], 0);
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
        passed += read as u64;
        if let Some(cuts) = cuts.filter(|cuts| passed > cuts.after.load(Ordering::SeqCst))
            && one_less(&cuts.left)
        {
            return Ok(());
        }
    }
}
