//! One connection to a server, opened when it is first needed and again after a failure.

use std::io::{self, BufReader, IoSlice, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::request::{ChunkLines, Request};
use super::response::Response;
use crate::interrupt;

/// One read fetches as much of a large body as this.
const RECEIVE_BYTES: usize = 256 << 10;
/// One write sends at most so many pieces, 16 to 48 MiB.
const SLICES_MAX: usize = 48;
/// A server that says nothing for so long has failed.
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// A client's connection to one server.
#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    host: String,
    stream: Option<BufReader<TcpStream>>,
    head: Vec<u8>,
    chunk_lines: ChunkLines,
}

impl Connection {
    /// A connection that is made by the first request.
    pub(crate) fn new(address: SocketAddr) -> Self {
        let (head, chunk_lines) = (Vec::with_capacity(1024), ChunkLines::default());
        Self { address, host: address.to_string(), stream: None, head, chunk_lines }
    }

    /// Sends a request and reads its response; the body is kept only if `keep` is set.
    pub(crate) fn exchange(&mut self, request: &Request<'_>, keep: bool) -> io::Result<Response> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.open()?,
        };
        self.send(request, stream.get_mut())?;
        let response = Response::read(&mut stream, request.method, keep)?;
        if !response.closes {
            self.stream = Some(stream);
        }
        Ok(response)
    }

    fn open(&self) -> io::Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        stream.set_write_timeout(Some(SILENCE_MAX))?;
        Ok(BufReader::with_capacity(RECEIVE_BYTES, stream))
    }

    fn send(&mut self, request: &Request<'_>, stream: &mut TcpStream) -> io::Result<()> {
        self.head.clear();
        request.head(&self.host, &mut self.head)?;
        self.chunk_lines.prepare(request.body);
        let mut slices = vec![IoSlice::new(&self.head)];
        request.body.slices(&self.chunk_lines, &mut slices);
        write_all(stream, &mut slices)
    }
}

fn write_all(stream: &mut TcpStream, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    while !slices.is_empty() {
        interrupt::check()?;
        let some = slices.len().min(SLICES_MAX);
        match stream.write_vectored(&slices[..some]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
