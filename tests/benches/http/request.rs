//! What a request looks like on the wire.

use std::io::{IoSlice, Write};

use crate::content::Blob;

/// Bytes of a chunk of a chunked body, about what clients that copy a stream send.
const CHUNK_BYTES: usize = 1 << 16;
const CHUNK_END: &[u8] = b"\r\n";
const BODY_END: &[u8] = b"0\r\n\r\n";
/// Manifests a client says it understands; without them a registry may convert or refuse.
const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";

/// The body of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body<'a> {
    None,
    Bytes(&'a [u8]),
    /// A blob of announced length.
    Sized(&'a Blob),
    /// A blob of unknown length, as a client sends that compresses on the way.
    Chunked(&'a Blob),
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// Path and query.
    pub(crate) target: &'a str,
    pub(crate) content_type: &'a str,
    /// Whole lines that say who asks, each with its end.
    pub(crate) credentials: &'a str,
    pub(crate) body: Body<'a>,
}

impl<'a> Request<'a> {
    /// A request without a body.
    pub(crate) fn new(method: &'a str, target: &'a str) -> Self {
        Self { method, target, content_type: "application/octet-stream", credentials: "", body: Body::None }
    }

    /// The same with a body.
    pub(crate) fn body(self, body: Body<'a>) -> Self {
        Self { body, ..self }
    }

    /// The same by somebody: whole header lines.
    pub(crate) fn credentials(self, credentials: &'a str) -> Self {
        Self { credentials, ..self }
    }

    /// The same with another media type.
    pub(crate) fn content_type(self, content_type: &'a str) -> Self {
        Self { content_type, ..self }
    }

    /// Writes the request line and the headers.
    pub(crate) fn head(&self, host: &str, to: &mut Vec<u8>) -> std::io::Result<()> {
        write!(to, "{} {} HTTP/1.1\r\nHost: {host}\r\n", self.method, self.target)?;
        to.extend_from_slice(self.credentials.as_bytes());
        match self.body {
            Body::None if matches!(self.method, "GET" | "HEAD") => write!(to, "Accept: {ACCEPT}\r\n")?,
            Body::None => to.extend_from_slice(b"Content-Length: 0\r\n"),
            Body::Bytes(bytes) => self.sized(bytes.len() as u64, to)?,
            Body::Sized(blob) => self.sized(blob.size(), to)?,
            Body::Chunked(_) => {
                write!(to, "Content-Type: {}\r\nTransfer-Encoding: chunked\r\n", self.content_type)?;
            }
        }
        to.extend_from_slice(b"\r\n");
        Ok(())
    }

    fn sized(&self, bytes: u64, to: &mut Vec<u8>) -> std::io::Result<()> {
        write!(to, "Content-Type: {}\r\nContent-Length: {bytes}\r\n", self.content_type)
    }
}

impl<'a> Body<'a> {
    /// The slices whose concatenation is the body as sent; `sizes` holds the chunk lines.
    pub(crate) fn slices(self, sizes: &'a ChunkLines, to: &mut Vec<IoSlice<'a>>) {
        match self {
            Body::None => (),
            Body::Bytes(bytes) => to.push(IoSlice::new(bytes)),
            Body::Sized(blob) => blob.pieces(usize::MAX, to),
            Body::Chunked(blob) => {
                let mut pieces = Vec::new();
                blob.pieces(CHUNK_BYTES, &mut pieces);
                for piece in pieces {
                    to.push(IoSlice::new(sizes.line(piece.len())));
                    to.push(piece);
                    to.push(IoSlice::new(CHUNK_END));
                }
                to.push(IoSlice::new(BODY_END));
            }
        }
    }
}

/// The lines that announce a chunk, written once for the few lengths that occur.
#[derive(Debug, Default)]
pub(crate) struct ChunkLines(Vec<(usize, Vec<u8>)>);

impl ChunkLines {
    /// Prepares the lines of every chunk of this body.
    pub(crate) fn prepare(&mut self, body: Body<'_>) {
        let Body::Chunked(blob) = body else { return };
        let mut pieces = Vec::new();
        blob.pieces(CHUNK_BYTES, &mut pieces);
        for piece in pieces {
            if !self.0.iter().any(|(length, _)| *length == piece.len()) {
                self.0.push((piece.len(), format!("{:x}\r\n", piece.len()).into_bytes()));
            }
        }
    }

    fn line(&self, length: usize) -> &[u8] {
        let found = self.0.iter().find(|(known, _)| *known == length);
        found.map_or(&[], |(_, line)| line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Family;

    #[test]
    fn a_chunked_body_announces_each_chunk_and_ends() {
        let blob = Family::new((1 << 16) + 20).unique();
        let body = Body::Chunked(&blob);
        let mut lines = ChunkLines::default();
        lines.prepare(body);
        let mut slices = Vec::new();
        body.slices(&lines, &mut slices);
        let sent: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        assert!(sent.starts_with(b"10000\r\n"));
        assert!(sent.ends_with(b"\r\n0\r\n\r\n"));
        assert_eq!(sent.len(), (1 << 16) + 20 + b"10000\r\n\r\n4\r\n\r\n10\r\n\r\n0\r\n\r\n".len());
    }

    #[test]
    fn a_bodiless_post_says_so() {
        let mut head = Vec::new();
        Request::new("POST", "/v2/a/blobs/uploads/").head("h", &mut head).unwrap();
        let expected = "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(String::from_utf8(head).unwrap(), expected);
    }
}
