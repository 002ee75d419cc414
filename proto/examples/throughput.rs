//! What the wire costs for blobs: a registry in memory, asked directly and over loopback, both ends in this process.
//! `cargo run --release -p zot-proto --example throughput`, with a word to measure only what has it in its name.
#![expect(clippy::print_stdout, reason = "it prints what it measures")]

use std::{
    env,
    error::Error,
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, future, stream};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use zot_contract::{Chunk, Context, MemoryRegistry, Registry};
use zot_oci::{Algorithm, Digest, RepositoryName};
use zot_proto::{Dialer, RemoteRegistry, Services, serve};

/// The size of the blob, and how often it goes each way.
const BLOB_BYTES: usize = 256 * 1024 * 1024;
const ROUNDS: u32 = 4;
/// The sizes of the pieces in which a body comes: those of HTTP/1 in this registry, those of files, and everything at once.
const PIECES_BYTES: [usize; 3] = [64 * 1024, 256 * 1024, 4 * 1024 * 1024];

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let memory: Arc<dyn Registry> = Arc::new(MemoryRegistry::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let services = Services { registry: memory.clone(), cluster: None };
    let serving = tokio::spawn(serve(listener, None, services, || Duration::ZERO, CancellationToken::new()));
    let remote: Arc<dyn Registry> = Arc::new(RemoteRegistry::dial(&Dialer::plain(), &address)?);

    let blob = Bytes::from(vec![7; BLOB_BYTES]);
    let digest = Digest::sha256(&blob);
    write(&*memory, &blob, 256 * 1024, Some(&digest)).await?;
    for (name, registry) in [("directly", &memory), ("over the wire", &remote)] {
        measured(&format!("read {name}"), async || read(&**registry, &digest).await).await?;
        for piece_bytes in PIECES_BYTES {
            let name = format!("write {name} in pieces of {} KiB", piece_bytes / 1024);
            measured(&name, async || write(&**registry, &blob, piece_bytes, None).await).await?;
        }
    }
    serving.abort();
    Ok(())
}

fn repository() -> Outcome<RepositoryName> {
    Ok("a".parse()?)
}

async fn read(registry: &dyn Registry, digest: &Digest) -> Outcome<()> {
    let body = registry.read_blob(&Context::internal(), &repository()?, digest, None).await?;
    let read = body.in_memory().try_fold(0, |sum, piece| future::ok(sum + piece.len())).await?;
    if read == BLOB_BYTES { Ok(()) } else { Err("the blob is not whole".into()) }
}

/// Uploads the blob, and finishes the upload only if a digest is given: hashing is not what is measured.
async fn write(registry: &dyn Registry, blob: &Bytes, piece_bytes: usize, digest: Option<&Digest>) -> Outcome<()> {
    let (cx, repository) = (Context::internal(), repository()?);
    let upload = registry.open_upload(&cx, &repository, Algorithm::Sha256).await?;
    let blob = blob.clone();
    let starts = (0..blob.len()).step_by(piece_bytes);
    let pieces = stream::iter(starts.map(move |start| Ok(blob.slice(start..blob.len().min(start + piece_bytes)))));
    registry.append_upload(&cx, &repository, upload, Chunk { at: None, length: None, stream: pieces.boxed() }).await?;
    match digest {
        Some(digest) => registry.finish_upload(&cx, &repository, upload, Chunk::empty(), digest).await?,
        None => registry.cancel_upload(&cx, &repository, upload).await?,
    }
    Ok(())
}

/// Prints the best of the rounds, in wall and processor time of both ends together.
async fn measured(name: &str, act: impl AsyncFn() -> Outcome<()>) -> Outcome<()> {
    if env::args().nth(1).is_some_and(|word| !name.contains(&word)) {
        return Ok(());
    }
    let (mut best_seconds, mut best_cpu_seconds) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        let (start, cpu_start) = (Instant::now(), cpu_seconds()?);
        act().await?;
        best_seconds = best_seconds.min(start.elapsed().as_secs_f64());
        best_cpu_seconds = best_cpu_seconds.min(cpu_seconds()? - cpu_start);
    }
    let gigabytes = BLOB_BYTES as f64 / 1e9;
    println!("{name:45} {:6.2} GB/s {:6.2} CPU-s/GB", gigabytes / best_seconds, best_cpu_seconds / gigabytes);
    Ok(())
}

/// The processor time of this process so far, from `/proc` (Linux counts it in hundredths of a second).
fn cpu_seconds() -> Outcome<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').ok_or("no name")?.1;
    let times = after_name.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(times.sum::<Result<f64, _>>()? / 100.0)
}
