//! Many transfers at the same time, of which this process holds nothing: for what they take in the memory of the registry.

use bytes::Bytes;
use futures::{StreamExt as _, future::join_all, stream};
use http_body_util::BodyExt as _;
use hyper::{Response, body::Incoming};
use tokio::task::JoinSet;

use crate::{Client, content};

/// What a blob is pushed in pieces of, in bytes.
pub const PIECE_BYTES: usize = 1 << 20;

/// The size of the pieces in which an upload under way arrives, in bytes: as those of a slow network, each in a packet of its own.
const PACKET_BYTES: usize = 16 << 10;

/// Pushes a blob of so many pieces without ever holding it, and gives its digest.
pub async fn push(client: &Client, repository: &str, seed: u64, pieces: u64) -> String {
    let piece = Bytes::from(content::bytes(seed, PIECE_BYTES));
    let mut hash = content::Sha256::default();
    (0..pieces).for_each(|_| hash.update(&piece));
    let digest = hash.digest();
    loop {
        let upload = client.start_upload(repository).await;
        let piece = piece.clone();
        let body = stream::iter((0..pieces).map(move |_| Ok(piece.clone())));
        let reply = client.put(&format!("{upload}?digest={digest}")).stream(body).await;
        // A bucket on a machine that has too much to do is waited for by whoever has time.
        if reply.status != 503 {
            reply.expect(201);
            return digest;
        }
    }
}

/// Pulls a blob and forgets it piece by piece; gives its length.
pub async fn pull(client: &Client, repository: &str, digest: &str) -> u64 {
    let mut body = client.get_blob(repository, digest).start().await.expect("an answer").into_body();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame.expect("the blob is whole").data_ref().map_or(0, |data| data.len() as u64);
    }
    length
}

/// Uploads of which each has sent `sent_bytes` and has more to come; for as long as what is returned lives.
pub async fn uploads_under_way(client: &Client, repository: &str, count: usize, sent_bytes: usize) -> JoinSet<()> {
    let mut uploads = JoinSet::new();
    for seed in 0..count {
        let (client, upload) = (client.clone(), client.start_upload(repository).await);
        uploads.spawn(async move {
            let bytes = Bytes::from(content::bytes(seed as u64, sent_bytes));
            let packets: Vec<_> =
                (0..sent_bytes).step_by(PACKET_BYTES).map(|at| Ok(bytes.slice(at..sent_bytes.min(at + PACKET_BYTES)))).collect();
            let body = stream::iter(packets).chain(stream::pending());
            client.patch(&upload).header("content-type", "application/octet-stream").stream(body).try_send().await.ok();
        });
    }
    uploads
}

/// Downloads of a blob whose readers stop after its first bytes, so that everything before them fills up.
pub async fn pulls_under_way(client: &Client, repository: &str, digest: &str, count: usize) -> Vec<Response<Incoming>> {
    let pull = async || {
        let mut answer = client.get_blob(repository, digest).start().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        answer.body_mut().frame().await.expect("a body").expect("its first bytes");
        answer
    };
    join_all((0..count).map(|_| pull())).await
}
