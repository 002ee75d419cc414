//! A way to DynamoDB on which calls and answers get lost.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use aws_smithy_types::date_time::{DateTime, Format};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is answered.
    None,
    /// It is heard, and the answer is lost.
    LoseAnswer,
    /// It is on its way until [`Proxy::deliver`], and its sender is cut off.
    Delay,
    /// A batch is answered without any of its rows.
    LeaveUnread,
    /// It is refused with a status and a code; a cancelled transaction because another was at its row.
    Refuse(u16, &'static str),
    /// It is refused because DynamoDB's clock shows this, in seconds since 1970.
    Untimely(i64),
}

/// How far from its own clock's time a signature may be for DynamoDB to take it, in seconds.
const SIGNATURE_SECONDS_MAX: i64 = 5 * 60;

#[derive(Debug)]
struct State {
    server: String,
    operation: String,
    faults: VecDeque<Fault>,
    late: Vec<Vec<u8>>,
    /// How far DynamoDB's clock is ahead of this machine's, in seconds.
    ahead: i64,
    /// How many calls were refused for the time that they were signed with.
    untimely: usize,
}

impl State {
    /// The server, and what becomes of a call that is made now.
    fn judge(&mut self, call: &[u8]) -> (String, Fault) {
        let there = DateTime::from(SystemTime::now()).secs() + self.ahead;
        let head = String::from_utf8_lossy(call).to_lowercase();
        let fault = if (signed(call) - there).abs() > SIGNATURE_SECONDS_MAX {
            self.untimely += 1;
            Some(Fault::Untimely(there))
        } else if head.contains(&format!("dynamodb_20120810.{}\r\n", self.operation.to_lowercase())) {
            self.faults.pop_front()
        } else {
            None
        };
        (self.server.clone(), fault.unwrap_or(Fault::None))
    }
}

/// The proxy, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// A proxy of `endpoint` on which the calls of `operation` suffer `faults`, one each in their order; all others are answered.
    pub(crate) async fn start(endpoint: &str, operation: &str, faults: Vec<Fault>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = endpoint.trim_start_matches("http://").to_owned();
        let state = State { server, operation: operation.to_owned(), faults: faults.into(), late: Vec::new(), ahead: 0, untimely: 0 };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // A client that goes away ends its connection only.
                tokio::spawn(serve(client, shared.clone()));
            }
        });
        Self { port, state, accepting }
    }

    /// Its URL.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Adds faults for the next calls.
    pub(crate) fn plan(&self, faults: &[Fault]) {
        self.state.lock().unwrap().faults.extend(faults);
    }

    /// Puts DynamoDB's clock ahead of this machine's by so many seconds.
    pub(crate) fn set_clock(&self, ahead: i64) {
        self.state.lock().unwrap().ahead = ahead;
    }

    /// How many calls were refused for the time that they were signed with.
    pub(crate) fn untimely(&self) -> usize {
        self.state.lock().unwrap().untimely
    }

    /// Lets the calls arrive that were on their way, and returns the answers that nobody waits for.
    pub(crate) async fn deliver(&self) -> Vec<String> {
        let (server, late) = {
            let mut state = self.state.lock().unwrap();
            (state.server.clone(), std::mem::take(&mut state.late))
        };
        let mut answers = Vec::new();
        for call in late {
            answers.push(String::from_utf8_lossy(&forward(&server, &call).await).into_owned());
        }
        answers
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Serves one call of a connection, which every answer closes.
async fn serve(mut client: TcpStream, state: Arc<Mutex<State>>) {
    let Some(call) = read_call(&mut client).await else { return };
    let (server, fault) = state.lock().unwrap().judge(&call);
    let answer = match fault {
        Fault::None => forward(&server, &call).await,
        Fault::LoseAnswer => {
            forward(&server, &call).await;
            return;
        }
        Fault::LeaveUnread => unread(&call),
        Fault::Delay => return state.lock().unwrap().late.push(call),
        Fault::Refuse(status, code) => refusal(status, code),
        Fault::Untimely(there) => untimely(there),
    };
    // The client may have given up.
    client.write_all(&answer).await.ok();
}

/// A whole call, changed so that its answer ends with the connection.
async fn read_call(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut call = Vec::new();
    loop {
        if client.read_buf(&mut call).await.ok()? == 0 {
            return None;
        }
        let Some(end) = call.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&call[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).map_or(0, |length| length.trim().parse().unwrap());
        while call.len() < end + 4 + length {
            if client.read_buf(&mut call).await.ok()? == 0 {
                return None;
            }
        }
        call.splice(end..end, *b"\r\nconnection: close");
        return Some(call);
    }
}

async fn forward(server: &str, call: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(call).await.unwrap();
    stream.read_to_end(&mut answer).await.unwrap();
    answer
}

/// When a call was signed, in seconds since 1970.
fn signed(call: &[u8]) -> i64 {
    let head = String::from_utf8_lossy(call).to_lowercase();
    let date = head.lines().find_map(|line| line.strip_prefix("x-amz-date:")).expect("every call is signed").trim().to_uppercase();
    let (day, time) = date.trim_end_matches('Z').split_once('T').expect("a day and a time");
    let text = format!("{}-{}-{}T{}:{}:{}Z", &day[..4], &day[4..6], &day[6..], &time[..2], &time[2..4], &time[4..]);
    DateTime::from_str(&text, Format::DateTime).unwrap().secs()
}

/// What DynamoDB answers when its clock shows `there` and that of whoever signed a call does not.
fn untimely(there: i64) -> Vec<u8> {
    let date = DateTime::from_secs(there).fmt(Format::HttpDate).unwrap();
    let body = r#"{"__type": "com.amazon.coral.service#InvalidSignatureException", "message": "Signature expired"}"#;
    let answer = String::from_utf8(answer(400, body)).unwrap();
    answer.replacen("\r\n", &format!("\r\nDate: {date}\r\n"), 1).into_bytes()
}

fn refusal(status: u16, code: &str) -> Vec<u8> {
    let reasons = r#""CancellationReasons": [{"Code": "TransactionConflict", "Message": "another transaction is under way"}]"#;
    answer(status, &format!(r#"{{"__type": "com.amazonaws.dynamodb.v20120810#{code}", "message": "not now", {reasons}}}"#))
}

/// The answer to a batch that gives back what was asked for.
fn unread(call: &[u8]) -> Vec<u8> {
    let call = String::from_utf8_lossy(call);
    let (_, body) = call.split_once("\r\n\r\n").unwrap();
    answer(200, &body.replacen(r#"{"RequestItems""#, r#"{"Responses": {}, "UnprocessedKeys""#, 1))
}

fn answer(status: u16, body: &str) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} Answer\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {}", body.len());
    format!("{head}\r\nConnection: close\r\n\r\n{body}").into_bytes()
}

/// Makes one call without any SDK, which must succeed.
pub(crate) async fn ask(endpoint: &str, operation: &str, body: &str) {
    let server = endpoint.trim_start_matches("http://");
    let credential = "AWS4-HMAC-SHA256 Credential=id/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0";
    let head = format!("POST / HTTP/1.1\r\nHost: {server}\r\nX-Amz-Target: DynamoDB_20120810.{operation}\r\nAuthorization: {credential}");
    let head = format!("{head}\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\nConnection: close", body.len());
    let answer = forward(server, format!("{head}\r\n\r\n{body}").as_bytes()).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
