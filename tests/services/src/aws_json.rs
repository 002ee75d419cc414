//! A call of a stand-in for a service of AWS that takes any signature.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
};

use serde_json::Value;

/// What such a service is called where requests say it.
pub(crate) struct Service {
    /// In signatures.
    pub(crate) name: &'static str,
    /// Before the name of an operation.
    pub(crate) prefix: &'static str,
    /// The version of the protocol.
    pub(crate) protocol: &'static str,
}

impl Service {
    /// The answer of the service at a port of this machine, its head included, if there is one.
    pub(crate) fn ask(&self, port: u16, operation: &str, body: &Value) -> Option<String> {
        let Self { name, prefix, protocol } = self;
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
        let body = body.to_string();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Amz-Target: {prefix}.{operation}\r\n\
             Content-Type: application/x-amz-json-{protocol}\r\nContent-Length: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=AKIATEST/20200101/us-east-1/{name}/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.starts_with("HTTP/").then_some(answer)
    }

    /// The same; the service must do it.
    pub(crate) fn done(&self, port: u16, operation: &str, body: &Value) -> String {
        let answer = self.ask(port, operation, body).unwrap_or_default();
        assert!(answer.starts_with("HTTP/1.1 200"), "{operation}: {answer}");
        answer
    }
}
