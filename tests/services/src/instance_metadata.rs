//! The metadata service of a machine at AWS (IMDSv2): it gives the keys of the machine's role to whoever has first asked for a token.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::json;

const ROLE: &str = "registry";
const TOKEN: &str = "a-token-of-this-machine";
/// For how long tokens are good, in seconds, as the header has it that asks for one and tells so.
const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// A metadata service that runs as long as the tests.
pub struct InstanceMetadata {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

/// What is told of a machine's role.
#[derive(Clone)]
struct Role {
    access_key: String,
    secret_key: String,
}

impl InstanceMetadata {
    /// Starts one on a machine whose role has these keys.
    pub fn start(access_key: &str, secret_key: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let role = Role { access_key: access_key.to_owned(), secret_key: secret_key.to_owned() };
        let heard = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (role, heard) = (role.clone(), Arc::clone(&heard));
                thread::spawn(move || role.answer(stream, &heard));
            }
        });
        Self { address, asked }
    }

    /// Its URL.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked for and given so far: methods and paths.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("what was asked").clone()
    }
}

impl Role {
    fn answer(&self, stream: TcpStream, asked: &Mutex<Vec<String>>) {
        let mut reader = BufReader::new(stream);
        let Some((request, headers)) = read(&mut reader) else { return };
        let (status, body) = self.answer_to(&request, &headers);
        if status == "200 OK" {
            asked.lock().expect("what was asked").push(request);
        }
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\n{TTL}: 21600\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
        // A client that has gone does not want its answer any more.
        let _ = reader.into_inner().write_all((head + &body).as_bytes());
    }

    fn answer_to(&self, request: &str, headers: &[String]) -> (&'static str, String) {
        let says = |name: &str, value: &str| headers.iter().any(|header| header.starts_with(&format!("{name}: {value}")));
        let role = format!("{ROLES}{ROLE}");
        match request.split_once(' ') {
            Some(("PUT", "/latest/api/token")) if says(TTL, "") => ("200 OK", TOKEN.to_owned()),
            Some(("GET", _)) if !says("x-aws-ec2-metadata-token", TOKEN) => ("401 Unauthorized", String::new()),
            Some(("GET", ROLES)) => ("200 OK", ROLE.to_owned()),
            Some(("GET", path)) if path == role => ("200 OK", self.keys()),
            _ => ("404 Not Found", String::new()),
        }
    }

    fn keys(&self) -> String {
        let Self { access_key, secret_key } = self;
        // The keys of roles come with a token of their session, but the S3 server of tests knows no sessions.
        let keys = json!({
            "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2020-01-01T00:00:00Z", "Expiration": "2099-01-01T00:00:00Z",
            "AccessKeyId": access_key, "SecretAccessKey": secret_key, "Token": "",
        });
        keys.to_string()
    }
}

/// Method and path of a request, and its headers with names in lower case.
fn read(reader: &mut BufReader<TcpStream>) -> Option<(String, Vec<String>)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let request = line.rsplit_once(' ')?.0.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push(format!("{}: {}", name.to_ascii_lowercase(), value.trim()));
    }
    Some((request, headers))
}
