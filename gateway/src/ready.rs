//! Whether the process that a configuration describes is ready on this host: what `/readyz` says, for supervisors that can only run programs.

use std::io;

use anyhow::{Context as _, bail};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use zot_config::http::Http;
use zot_process::http_tls_files;
use zot_runtime::tls::connect_to_itself;

/// The answer to `/readyz` is far shorter.
const ANSWER_BYTES_MAX: u64 = 16 * 1024;

/// Asks the process that listens where `http` says, on this host. The error says why it is not ready.
pub async fn ready(http: &Http) -> anyhow::Result<()> {
    let address = http.local_address();
    let socket = TcpStream::connect(&address).await.with_context(|| format!("connect to {address}"))?;
    let answer = match http_tls_files(http) {
        None => ask(socket).await,
        Some(files) => ask(connect_to_itself(&files, socket).await.with_context(|| format!("speak tls to {address}"))?).await,
    };
    let answer = answer.with_context(|| format!("ask {address}"))?;
    let status = answer.split(' ').nth(1).unwrap_or_default();
    if status != "200" {
        bail!("{address} answers {status} to /readyz");
    }
    Ok(())
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<String> {
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
