//! Reading a response: the status, the few headers that matter, and a body that is mostly counted
//! and dropped.

use std::io::{self, BufRead, Read};

use crate::interrupt;

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Sized(u64),
    Chunked,
    UntilClose,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Where an upload continues.
    pub(crate) location: Option<String>,
    /// The first cookie that it sets, without its attributes.
    pub(crate) cookie: Option<String>,
    /// The next page of a list, as written.
    pub(crate) link: Option<String>,
    /// Length of the body in bytes.
    pub(crate) bytes: u64,
    /// The body itself, if it was asked for or tells of an error.
    pub(crate) body: Vec<u8>,
    /// Whether the connection ends with this response.
    pub(crate) closes: bool,
    framing: Framing,
}

impl Response {
    /// Reads a whole response to a request with this method.
    pub(crate) fn read(from: &mut impl BufRead, method: &str, keep: bool) -> io::Result<Self> {
        let mut line = Vec::with_capacity(256);
        let mut response = Self::status_line(read_line(from, &mut line)?)?;
        loop {
            match read_line(from, &mut line)? {
                "" => break,
                header => response.header(header)?,
            }
        }
        let empty = method == "HEAD" || matches!(response.status, 204 | 304);
        if !empty {
            let keep = keep || response.status >= 400;
            response.bytes = response.read_body(from, keep)?;
        }
        Ok(response)
    }

    fn status_line(line: &str) -> io::Result<Self> {
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        let status = status.and_then(|digits| digits.parse().ok()).ok_or_else(|| malformed(line))?;
        Ok(Self {
            status,
            location: None,
            cookie: None,
            link: None,
            bytes: 0,
            body: Vec::new(),
            closes: false,
            framing: Framing::UntilClose,
        })
    }

    fn header(&mut self, line: &str) -> io::Result<()> {
        let (name, value) = line.split_once(':').ok_or_else(|| malformed(line))?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            self.framing = Framing::Sized(value.parse().map_err(|_| malformed(line))?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            self.framing = Framing::Chunked;
        } else if name.eq_ignore_ascii_case("connection") {
            self.closes = value.eq_ignore_ascii_case("close");
        } else if name.eq_ignore_ascii_case("location") {
            self.location = Some(value.to_owned());
        } else if name.eq_ignore_ascii_case("set-cookie") {
            self.cookie.get_or_insert_with(|| value.split(';').next().unwrap_or_default().to_owned());
        } else if name.eq_ignore_ascii_case("link") {
            self.link = Some(value.to_owned());
        }
        Ok(())
    }

    fn read_body(&mut self, from: &mut impl BufRead, keep: bool) -> io::Result<u64> {
        let kept = keep.then_some(&mut self.body);
        match self.framing {
            Framing::Sized(bytes) => take(from, bytes, kept).map(|()| bytes),
            Framing::Chunked => read_chunks(from, kept),
            Framing::UntilClose => {
                self.closes = true;
                from.read_to_end(&mut self.body).map(|bytes| bytes as u64)
            }
        }
    }
}

fn read_chunks(from: &mut impl BufRead, mut kept: Option<&mut Vec<u8>>) -> io::Result<u64> {
    let mut line = Vec::new();
    let mut total = 0;
    loop {
        let size = read_line(from, &mut line)?;
        let bytes = u64::from_str_radix(size, 16).map_err(|_| malformed(size))?;
        take(from, bytes, kept.as_deref_mut())?;
        total += bytes;
        read_line(from, &mut line)?;
        if bytes == 0 {
            return Ok(total);
        }
    }
}

/// Consumes exactly `bytes` bytes, keeping them only where somebody wants them.
fn take(from: &mut impl BufRead, bytes: u64, kept: Option<&mut Vec<u8>>) -> io::Result<()> {
    if let Some(kept) = kept {
        let read = from.take(bytes).read_to_end(kept)?;
        return if read as u64 == bytes { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
    }
    let mut left = bytes;
    while left > 0 {
        interrupt::check()?;
        let here = from.fill_buf()?.len();
        if here == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let used = left.min(here as u64);
        from.consume(used as usize);
        left -= used;
    }
    Ok(())
}

/// Reads one line without its end.
fn read_line<'a>(from: &mut impl BufRead, line: &'a mut Vec<u8>) -> io::Result<&'a str> {
    line.clear();
    if from.read_until(b'\n', line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let text = std::str::from_utf8(line).map_err(|_| malformed("bytes that are not text"))?;
    Ok(text.trim_end())
}

fn malformed(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed response: {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, text: &str) -> (Response, usize) {
        let mut left = text.as_bytes();
        let response = Response::read(&mut left, method, true).unwrap();
        (response, left.len())
    }

    #[test]
    fn a_sized_body_ends_where_it_says() {
        let (response, left) = read("GET", "HTTP/1.1 200 OK\r\ncontent-LENGTH: 3\r\n\r\nabcHTTP");
        assert_eq!((response.status, response.body.as_slice(), left), (200, &b"abc"[..], 4));
    }

    #[test]
    fn chunks_are_joined() {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\nX";
        let (response, left) = read("GET", text);
        assert_eq!((response.body.as_slice(), response.bytes, left), (&b"abc"[..], 3, 1));
    }

    #[test]
    fn a_head_response_has_no_body() {
        let (response, left) = read("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nX");
        assert_eq!((response.bytes, left), (0, 1));
    }

    #[test]
    fn location_and_close_are_kept() {
        let text = "HTTP/1.1 202 Accepted\r\nLocation: /x?y=1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        let (response, _) = read("POST", text);
        assert_eq!(response.location.as_deref(), Some("/x?y=1"));
        assert!(response.closes);
    }

    #[test]
    fn a_body_that_stops_early_is_an_error() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc";
        assert!(Response::read(&mut text.as_bytes(), "GET", false).is_err());
    }
}
