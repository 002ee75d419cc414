//! GitHub as far as a login needs it: what it is asked, and what is made of its answers.

use std::{collections::BTreeMap, sync::Arc};

use openidconnect::ClientId;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use zot_config::Secret;

use super::*;
use crate::{
    egress::Egress,
    openid::{
        github::{GitHub, Places},
        provider::User,
    },
};

/// A server that answers each path with what it is told, and remembers what it was asked.
struct Fake {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    async fn start(answers: &[(&'static str, u16, String)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers: BTreeMap<_, _> = answers.iter().map(|(path, status, body)| (*path, (*status, body.clone()))).collect();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let remembered = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = read(&mut stream).await;
                let path = request.split([' ', '?']).nth(1).unwrap_or_default().to_owned();
                let (status, body) = answers.get(path.as_str()).cloned().unwrap_or((404, "{}".to_owned()));
                remembered.lock().push(request);
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all((head + &body).as_bytes()).await.ok();
            }
        });
        Self { url, asked }
    }

    fn github(&self) -> GitHub {
        let (authorize, token) = (format!("{}/login/oauth/authorize", self.url), format!("{}/login/oauth/access_token", self.url));
        let places = Places::configured(Some((&authorize, &token))).unwrap();
        let scopes = ["read:org".to_owned(), "user:email".to_owned()];
        GitHub::new(Egress::new().unwrap(), ClientId::new("registry".to_owned()), Some(Secret::new("hunter2")), &scopes, places)
    }
}

/// One request, with its body.
async fn read(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(|n| n.parse().unwrap()));
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        let read = stream.read(&mut piece).await.unwrap();
        assert!(read > 0, "the request breaks off: {text}");
        request.extend_from_slice(&piece[..read]);
    }
}

fn answer() -> (Answer, String) {
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    drop(challenge);
    let secret = verifier.secret().clone();
    let redirect = RedirectUrl::new("https://registry.example.org/zot/auth/callback/github".to_owned()).unwrap();
    (Answer { redirect, code: AuthorizationCode::new("c-1".to_owned()), nonce: Nonce::new(String::new()), verifier }, secret)
}

fn answers(emails: &str, teams: u16) -> Vec<(&'static str, u16, String)> {
    let token = r#"{"access_token": "t-1", "token_type": "bearer", "scope": "user:email"}"#;
    vec![
        ("/login/oauth/access_token", 200, token.to_owned()),
        ("/api/v3/user/emails", 200, emails.to_owned()),
        ("/api/v3/user/orgs", 200, r#"[{"login": "acme"}, {"login": "other"}]"#.to_owned()),
        ("/api/v3/user/teams", teams, r#"[{"slug": "core", "organization": {"login": "acme"}}]"#.to_owned()),
    ]
}

const EMAILS: &str = r#"[{"email": "b@x", "primary": false, "verified": true}, {"email": "a@x", "primary": true, "verified": true}]"#;

#[tokio::test]
async fn the_primary_address_is_the_name_and_organizations_and_teams_are_groups() {
    let fake = Fake::start(&answers(EMAILS, 200)).await;
    let (answer, verifier) = answer();
    let user = fake.github().user(answer).await.unwrap();
    let groups = ["acme", "acme/core", "other"].map(str::to_owned).to_vec();
    assert_eq!(user, User { name: "a@x".to_owned(), groups });
    let asked = fake.asked.lock();
    for part in ["code=c-1", "client_id=registry", "client_secret=hunter2", &format!("code_verifier={verifier}")] {
        assert!(asked[0].contains(part), "{part}: {}", asked[0]);
    }
    assert!(asked[1..].iter().all(|request| request.to_ascii_lowercase().contains("authorization: bearer t-1")), "{asked:?}");
}

#[tokio::test]
async fn who_may_not_see_teams_is_in_those_that_can_be_seen() {
    let fake = Fake::start(&answers(EMAILS, 403)).await;
    assert_eq!(fake.github().user(answer().0).await.unwrap().groups, ["acme", "other"]);
}

#[tokio::test]
async fn an_address_that_is_not_verified_or_not_primary_is_no_name() {
    for emails in
        [r#"[]"#, r#"[{"email": "a@x", "primary": true, "verified": false}, {"email": "b@x", "primary": false, "verified": true}]"#]
    {
        let fake = Fake::start(&answers(emails, 200)).await;
        assert!(matches!(fake.github().user(answer().0).await, Err(Failure::Nameless(_))), "{emails}");
    }
}

#[tokio::test]
async fn what_github_refuses_is_no_login_and_what_it_cannot_answer_is_neither() {
    let refused = r#"{"error": "bad_verification_code", "error_description": "c-1 is no good"}"#.to_owned();
    let fake = Fake::start(&[("/login/oauth/access_token", 200, refused)]).await;
    let failure = fake.github().user(answer().0).await.unwrap_err();
    assert!(matches!(&failure, Failure::Untrusted(reason) if !reason.to_string().contains("c-1")), "{failure:?}");
    let mut broken = answers(EMAILS, 200);
    broken[1].1 = 502;
    let fake = Fake::start(&broken).await;
    assert!(matches!(fake.github().user(answer().0).await, Err(Failure::Unavailable(_))));
}

#[tokio::test]
async fn a_login_is_asked_for_with_a_challenge() {
    let github = GitHub::new(Egress::new().unwrap(), ClientId::new("registry".to_owned()), None, &[], Places::configured(None).unwrap());
    let (challenge, _) = PkceCodeChallenge::new_random_sha256();
    let redirect = RedirectUrl::new("https://registry.example.org/zot/auth/callback/github".to_owned()).unwrap();
    let url = github.authorize(Asking { redirect, state: "s".to_owned(), nonce: Nonce::new_random(), challenge }).await.unwrap();
    assert!(url.as_str().starts_with("https://github.com/login/oauth/authorize?"), "{url}");
    for part in ["state=s", "code_challenge=", "code_challenge_method=S256", "client_id=registry", "redirect_uri=https%3A%2F%2Fregistry"] {
        assert!(url.as_str().contains(part), "{part}: {url}");
    }
}
