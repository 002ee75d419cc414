//! A client of one registry: the acts of the distribution specification as the scenarios need them.

use std::net::SocketAddr;

use anyhow::{Context, bail};

use crate::content::{self, Blob, Image};
use crate::http::{Body, Connection, Request, Response};

/// How a blob is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upload {
    /// `POST`, then `PUT` with the bytes.
    Monolithic,
    /// `POST`, `PATCH` with the bytes in chunks of unknown total length, `PUT`: what docker does.
    Streamed,
}

/// A client with one connection.
#[derive(Debug)]
pub(crate) struct Session {
    connection: Connection,
    /// What a token service has issued for a server of users.
    token: Option<String>,
}

impl Session {
    /// A client of the registry at this address.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { connection: Connection::new(address), token: None }
    }

    /// The same with a token.
    pub(crate) fn with_token(self, token: Option<String>) -> Self {
        Self { token, ..self }
    }

    /// A token to pull with.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Sends a request and expects one status.
    fn expect(&mut self, request: Request<'_>, status: u16) -> anyhow::Result<Response> {
        let response = self.exchange(&request, false)?;
        if response.status != status {
            return Err(refused(&request, &response));
        }
        Ok(response)
    }

    fn exchange(&mut self, request: &Request<'_>, keep: bool) -> anyhow::Result<Response> {
        let sent = self.connection.exchange(request, keep);
        sent.with_context(|| format!("{} {}", request.method, request.target))
    }

    /// Reads a resource and drops it, returning its length in bytes.
    pub(crate) fn get(&mut self, target: &str) -> anyhow::Result<u64> {
        self.expect(Request::new("GET", target), 200).map(|response| response.bytes)
    }

    /// Reads a resource as somebody, and drops it, returning its length in bytes.
    pub(crate) fn get_as(&mut self, target: &str, credentials: &str) -> anyhow::Result<u64> {
        self.expect(Request::new("GET", target).credentials(credentials), 200).map(|response| response.bytes)
    }

    /// Begins a session, and returns its cookie.
    pub(crate) fn log_in(&mut self, credentials: &str) -> anyhow::Result<String> {
        let response = self.expect(Request::new("GET", "/v2/").credentials(credentials), 200)?;
        response.cookie.context("no session was begun")
    }

    /// Sends a few bytes as somebody, and keeps the answer.
    pub(crate) fn post_as(&mut self, target: &str, credentials: &str, bytes: &[u8], status: u16) -> anyhow::Result<Response> {
        let request = Request::new("POST", target).credentials(credentials).content_type("application/json").body(Body::Bytes(bytes));
        let response = self.exchange(&request, true)?;
        if response.status == status { Ok(response) } else { Err(refused(&request, &response)) }
    }

    /// Reads a resource and keeps it.
    pub(crate) fn read(&mut self, target: &str) -> anyhow::Result<Response> {
        let request = Request::new("GET", target);
        let response = self.exchange(&request, true)?;
        if response.status != 200 {
            return Err(refused(&request, &response));
        }
        Ok(response)
    }

    /// Asks for the headers of a resource that exists.
    pub(crate) fn head(&mut self, target: &str) -> anyhow::Result<()> {
        self.expect(Request::new("HEAD", target), 200).map(drop)
    }

    /// Whether a repository holds a blob.
    pub(crate) fn has_blob(&mut self, repository: &str, digest: &str) -> anyhow::Result<bool> {
        let target = format!("/v2/{repository}/blobs/{digest}");
        let request = Request::new("HEAD", &target);
        let response = self.exchange(&request, false)?;
        match response.status {
            200 => Ok(true),
            404 => Ok(false),
            _ => Err(refused(&request, &response)),
        }
    }

    /// Pushes a blob.
    pub(crate) fn put_blob(&mut self, repository: &str, blob: &Blob, how: Upload) -> anyhow::Result<()> {
        let location = self.open_upload(repository)?;
        self.finish_upload(location, blob, how)
    }

    /// Pushes a few bytes as a blob.
    pub(crate) fn put_bytes(&mut self, repository: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let location = self.open_upload(repository)?;
        let target = finishing(&location, &content::digest(bytes));
        self.expect(Request::new("PUT", &target).body(Body::Bytes(bytes)), 201).map(drop)
    }

    /// Takes over a blob from another repository, or pushes it where the registry declines.
    pub(crate) fn mount(&mut self, repository: &str, from: &str, blob: &Blob) -> anyhow::Result<()> {
        let target = format!("/v2/{repository}/blobs/uploads/?mount={}&from={from}", blob.digest);
        let request = Request::new("POST", &target);
        let response = self.exchange(&request, false)?;
        match response.status {
            201 => Ok(()),
            202 => self.finish_upload(location(response)?, blob, Upload::Streamed),
            _ => Err(refused(&request, &response)),
        }
    }

    /// Pushes a manifest under a tag or a digest.
    pub(crate) fn put_manifest(&mut self, repository: &str, reference: &str, manifest: &[u8]) -> anyhow::Result<()> {
        let target = format!("/v2/{repository}/manifests/{reference}");
        let request = Request::new("PUT", &target).content_type(content::MANIFEST).body(Body::Bytes(manifest));
        self.expect(request, 201).map(drop)
    }

    /// Pushes a whole image as clients do: asks for each blob first, sends what is missing, then tags.
    pub(crate) fn put_image(&mut self, repository: &str, tag: &str, image: &Image) -> anyhow::Result<u64> {
        for layer in &image.layers {
            if !self.has_blob(repository, &layer.digest)? {
                self.put_blob(repository, layer, Upload::Streamed)?;
            }
        }
        if !self.has_blob(repository, &content::digest(&image.config))? {
            self.put_bytes(repository, &image.config)?;
        }
        self.put_manifest(repository, tag, &image.manifest)?;
        Ok(image.size())
    }

    fn open_upload(&mut self, repository: &str) -> anyhow::Result<String> {
        let target = format!("/v2/{repository}/blobs/uploads/");
        location(self.expect(Request::new("POST", &target), 202)?)
    }

    fn finish_upload(&mut self, at: String, blob: &Blob, how: Upload) -> anyhow::Result<()> {
        if how == Upload::Monolithic {
            let target = finishing(&at, &blob.digest);
            return self.expect(Request::new("PUT", &target).body(Body::Sized(blob)), 201).map(drop);
        }
        let patched = self.expect(Request::new("PATCH", &at).body(Body::Chunked(blob)), 202)?;
        let target = finishing(&location(patched)?, &blob.digest);
        self.expect(Request::new("PUT", &target), 201).map(drop)
    }
}

/// Where the response says an upload continues, as a path: some registries answer a whole URL.
fn location(response: Response) -> anyhow::Result<String> {
    let Some(location) = response.location else { bail!("an upload's response has no location") };
    Ok(match location.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or_else(|| "/".to_owned(), |at| rest[at..].to_owned()),
        None => location,
    })
}

/// The target that ends an upload at this location.
fn finishing(location: &str, digest: &str) -> String {
    let join = if location.contains('?') { '&' } else { '?' };
    format!("{location}{join}digest={digest}")
}

fn refused(request: &Request<'_>, response: &Response) -> anyhow::Error {
    let body = String::from_utf8_lossy(&response.body);
    let body: String = body.chars().take(300).collect();
    anyhow::anyhow!("{} {}: status {} {body}", request.method, request.target, response.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_ends_at_its_location_with_the_digest() {
        assert_eq!(finishing("/u/1", "sha256:a"), "/u/1?digest=sha256:a");
        assert_eq!(finishing("/u/1?_state=x", "sha256:a"), "/u/1?_state=x&digest=sha256:a");
    }
}
