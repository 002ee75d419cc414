//! A token service (distribution, "Token Authentication"): it knows a few users, and issues tokens for what they may do of what they ask.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Who may do everything with the repositories whose names begin with `team/`.
pub const WRITER: (&str, &str) = ("alice", "alice's-secret");
/// Who may pull them.
pub const READER: (&str, &str) = ("bob", "bob's-secret");

/// What tokens are for.
const SERVICE: &str = "the registry";
const ISSUER: &str = "the token service";
const SECONDS: u64 = 300;

/// A token service that runs as long as the tests.
pub struct TokenService {
    address: SocketAddr,
    key: EncodingKey,
    directory: TempDir,
}

/// What a request for a token says.
#[derive(Default)]
struct Asked {
    user: Option<(String, String)>,
    service: String,
    scopes: Vec<String>,
}

impl TokenService {
    /// Starts one.
    pub fn start() -> Self {
        let directory = TempDir::new().expect("a directory");
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(vec![]).expect("parameters").self_signed(&key).expect("a certificate");
        std::fs::write(directory.path().join("token.crt"), certificate.pem()).expect("the certificate");
        let key = EncodingKey::from_ec_pem(key.serialize_pem().as_bytes()).expect("the key");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let signing = key.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let key = signing.clone();
                thread::spawn(move || answer(stream, &key));
            }
        });
        Self { address, key, directory }
    }

    /// The section `http.auth.bearer` of a registry that believes it.
    pub fn section(&self) -> Value {
        json!({"realm": format!("http://{}/token", self.address), "service": SERVICE, "issuer": ISSUER, "cert": self.certificate()})
    }

    /// A token for `actions` on a repository, as `alice` would get it.
    pub fn issue(&self, repository: &str, actions: &[&str]) -> String {
        let access = json!([{"type": "repository", "name": repository, "actions": actions}]);
        signed(WRITER.0, SERVICE, &access, &self.key)
    }

    /// Its certificate.
    pub fn certificate(&self) -> PathBuf {
        let directory: &Path = self.directory.path();
        directory.join("token.crt")
    }
}

fn answer(stream: TcpStream, key: &EncodingKey) {
    let mut reader = BufReader::new(stream);
    let Some(asked) = read(&mut reader) else { return };
    let (status, body) = match token(&asked, key) {
        Some(token) => (
            "200 OK",
            json!({"token": token, "access_token": token, "expires_in": SECONDS, "issued_at": "2020-01-01T00:00:00Z"}).to_string(),
        ),
        None => ("401 Unauthorized", r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#.to_owned()),
    };
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    // A client that has gone does not want its token any more.
    let _ = reader.into_inner().write_all((head + &body).as_bytes());
}

/// Reads a request: a query with a name and a password in a header, or a form.
fn read(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let target = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let mut asked = Asked::default();
    let mut form = (None, None);
    for (name, value) in pairs(query).chain(pairs(&body)) {
        match name.as_str() {
            "service" => asked.service = value,
            "scope" => asked.scopes.extend(value.split(' ').map(str::to_owned)),
            "username" => form.0 = Some(value),
            "password" => form.1 = Some(value),
            _ => {}
        }
    }
    asked.user = form.0.zip(form.1).or_else(|| {
        let shown = headers.get("authorization")?.strip_prefix("Basic ")?;
        let text = String::from_utf8(STANDARD.decode(shown).ok()?).ok()?;
        text.split_once(':').map(|(name, password)| (name.to_owned(), password.to_owned()))
    });
    Some(asked)
}

fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    text.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (decoded(name), decoded(value)))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                bytes.push(u8::from_str_radix(&digits, 16).expect("an escape"));
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).expect("readable parameters")
}

/// A token for what the user may do of what is asked for; none for a wrong password.
fn token(asked: &Asked, key: &EncodingKey) -> Option<String> {
    let user = match &asked.user {
        None => "",
        Some((name, password)) => {
            let known = [WRITER, READER].into_iter().any(|known| known == (name.as_str(), password.as_str()));
            known.then_some(name.as_str())?
        }
    };
    let access: Vec<Value> = asked.scopes.iter().filter_map(|scope| granted(user, scope)).collect();
    Some(signed(user, &asked.service, &Value::from(access), key))
}

fn signed(user: &str, service: &str, access: &Value, key: &EncodingKey) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
    let claims = json!({"iss": ISSUER, "sub": user, "aud": service, "exp": now + SECONDS, "nbf": now, "iat": now, "access": access});
    encode(&Header::new(Algorithm::ES256), &claims, key).expect("a token")
}

fn granted(user: &str, scope: &str) -> Option<Value> {
    let (kind, rest) = scope.split_once(':')?;
    let (name, actions) = rest.rsplit_once(':')?;
    let is_allowed = |action: &&str| match user {
        "alice" => kind == "registry" || name.starts_with("team/"),
        "bob" => name.starts_with("team/") && *action == "pull",
        _ => false,
    };
    let actions: Vec<&str> = actions.split(',').filter(is_allowed).collect();
    (!actions.is_empty()).then(|| json!({"type": kind, "name": name, "actions": actions}))
}
