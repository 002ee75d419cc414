//! What stands between the store and the server: passes bytes on, cuts answers off, loses completions, or speaks TLS.

use std::{
    collections::VecDeque,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::Barrier,
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
    /// What happens to the next requests to complete a multipart upload.
    completions: Mutex<VecDeque<Completion>>,
}

/// What happens to a request to complete a multipart upload.
pub(crate) enum Completion {
    /// The server answers, and the answer is lost.
    Lost,
    /// The server is not asked, and there is no answer.
    Dropped,
    /// The same, once others have done what they do between two meetings.
    Held(Arc<Barrier>),
    /// The server is not asked, and the answer is that there is no such upload: some servers forget which ones they completed, others remember
    /// for a while.
    Unknown,
}

impl Cuts {
    /// Cuts off the next answers that are longer than `after` bytes.
    pub(crate) fn cut(&self, times: usize, after: u64) {
        self.after.store(after, Ordering::SeqCst);
        self.left.store(times, Ordering::SeqCst);
    }

    /// Does this to the next requests to complete a multipart upload, one after the other.
    pub(crate) fn completions(&self, completions: impl IntoIterator<Item = Completion>) {
        self.completions.lock().unwrap().extend(completions);
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
            let lost = AtomicBool::new(false);
            let unknown = tokio::select! {
                asked = ask(from, questions, &cuts, &lost) => asked.unwrap_or_default(),
                _ = pass(answers, to, &cuts, &lost) => false,
            };
            if unknown {
                answer(client, "404 Not Found", NO_SUCH_UPLOAD).await;
            }
        }
    }
}

const SLOW_DOWN: &str = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
const NO_SUCH_UPLOAD: &str = "<Error><Code>NoSuchUpload</Code><Message>The specified upload does not exist.</Message></Error>";

async fn refuse(mut client: TcpStream) {
    // All of the request is read before the answer, or closing would reset the connection before the answer is read.
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if !matches!(client.read_buf(&mut request).await, Ok(read) if read > 0) {
            return;
        }
    }
    answer(client, "503 Slow Down", SLOW_DOWN).await;
}

async fn answer(mut client: TcpStream, status: &str, body: &str) {
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    client.write_all(answer.as_bytes()).await.ok();
    let mut rest = Vec::new();
    while matches!(client.read_buf(&mut rest).await, Ok(read) if read > 0) {}
}

/// Passes requests on until either end closes or one is not to reach the server. Returns whether the answer is that there is no such upload.
async fn ask(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, cuts: &Cuts, lost: &AtomicBool) -> std::io::Result<bool> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = from.read(&mut buffer).await?;
        // A request begins what is read: nobody sends the next one before the last one is answered.
        let completes = buffer[..read].starts_with(b"POST ") && buffer[..read].windows(9).any(|word| word == b"uploadId=");
        let completion = completes.then(|| cuts.completions.lock().unwrap().pop_front()).flatten();
        match completion {
            Some(Completion::Lost) => lost.store(true, Ordering::SeqCst),
            Some(Completion::Dropped) => return Ok(false),
            Some(Completion::Held(meeting)) => {
                meeting.wait().await;
                meeting.wait().await;
                return Ok(false);
            }
            Some(Completion::Unknown) => return Ok(true),
            None => {}
        }
        if read == 0 {
            return to.shutdown().await.map(|()| false);
        }
        to.write_all(&buffer[..read]).await?;
    }
}

/// Passes answers on until either end closes or one is cut off.
async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, cuts: &Cuts, lost: &AtomicBool) -> std::io::Result<()> {
    let (mut buffer, mut passed) = (vec![0; 16 << 10], 0);
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        if lost.load(Ordering::SeqCst) {
            return Ok(());
        }
        to.write_all(&buffer[..read]).await?;
        passed += read as u64;
        if passed > cuts.after.load(Ordering::SeqCst) && one_less(&cuts.left) {
            return Ok(());
        }
    }
}
