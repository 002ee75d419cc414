//! Sessions as browsers see them: fixation, forgery, expiry, and a store that is away.

use std::sync::LazyLock;

use http::header::COOKIE;
use zot_contract::MemoryRegistry;

use super::*;
use crate::now::now_unix_ms;

const LIFE_MS: u64 = SESSION_LIFE.as_secs() * 1000;

/// A store that cannot be reached.
#[derive(Debug)]
struct Away;

#[async_trait::async_trait]
impl SessionStore for Away {
    async fn create(&self, _: &StoreKey, _: &[u8], _: Duration) -> Result<(), StoreError> {
        Err(StoreError::new("keep a session", "connection refused"))
    }

    async fn find(&self, _: &StoreKey) -> Result<Option<Vec<u8>>, StoreError> {
        Err(StoreError::new("find a session", "connection refused"))
    }

    async fn remove(&self, _: &StoreKey) -> Result<Option<Vec<u8>>, StoreError> {
        Err(StoreError::new("remove a session", "connection refused"))
    }
}

fn sessions(key: Option<&str>) -> Sessions {
    Sessions::new(Arc::new(MemoryStore::new(1000)), key.map(Secret::new).as_ref(), false)
}

/// A session of hers, the same one each time.
fn alice() -> Session {
    static SESSION: LazyLock<Session> =
        LazyLock::new(|| Session::new("alice", vec!["a".to_owned(), "b".to_owned()], LoginMethod::Ldap, None));
    SESSION.clone()
}

/// What a browser sends that was told to keep `cookies`.
fn sending(cookies: &[HeaderValue]) -> HeaderMap {
    let pairs: Vec<_> = cookies.iter().map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap()).collect();
    showing(&pairs.join("; "))
}

fn showing(cookies: &str) -> HeaderMap {
    [(COOKIE, HeaderValue::from_str(cookies).unwrap())].into_iter().collect()
}

#[tokio::test]
async fn who_logged_in_is_known_until_they_log_out() {
    for sessions in [sessions(None), sessions(Some("0123456789abcdef0123456789abcdef"))] {
        let cookies = sessions.begin(&HeaderMap::new(), &alice()).await.unwrap();
        let browser = sending(&cookies);
        assert_eq!(sessions.find(&browser).await.unwrap(), Found::Session(alice()));
        assert_eq!(sessions.end(&browser).await.unwrap().map(|session| session.user).as_deref(), Some("alice"));
        assert_eq!(sessions.find(&browser).await.unwrap(), Found::Stale);
        assert_eq!(sessions.end(&browser).await.unwrap(), None);
        assert_eq!(sessions.find(&HeaderMap::new()).await.unwrap(), Found::Nothing);
    }
}

#[tokio::test]
async fn cookies_say_what_they_should() {
    let cookies = sessions(None).begin(&HeaderMap::new(), &alice()).await.unwrap();
    let [session, user] = &cookies[..] else { panic!("{cookies:?}") };
    assert!(session.to_str().unwrap().ends_with("; Path=/; Max-Age=7200; HttpOnly; SameSite=Lax"), "{session:?}");
    assert_eq!(user.to_str().unwrap(), "user=alice; Path=/; Max-Age=7200; SameSite=Lax");
    let secure = Sessions { secure: true, ..sessions(None) };
    for cookie in secure.begin(&HeaderMap::new(), &alice()).await.unwrap().into_iter().chain(secure.forgotten()) {
        assert!(cookie.to_str().unwrap().ends_with("; Secure"), "{cookie:?}");
    }
}

#[tokio::test]
async fn a_number_that_was_shown_before_the_login_is_not_the_one_after_it() {
    let sessions = sessions(None);
    let planted = Token::random();
    let browser = showing(&format!("session={}", planted.reveal()));
    let after = sending(&sessions.begin(&browser, &alice()).await.unwrap());
    assert_eq!(sessions.find(&browser).await.unwrap(), Found::Stale);
    assert_eq!(sessions.find(&after).await.unwrap(), Found::Session(alice()));

    // Logging in again ends what was there before.
    let bob = Session::new("bob", vec![], LoginMethod::Htpasswd, None);
    let later = sending(&sessions.begin(&after, &bob).await.unwrap());
    assert_eq!(sessions.find(&after).await.unwrap(), Found::Stale);
    assert_eq!(sessions.find(&later).await.unwrap(), Found::Session(bob));
}

#[tokio::test]
async fn of_two_sessions_in_one_request_neither_counts() {
    let sessions = sessions(None);
    let one = sessions.begin(&HeaderMap::new(), &alice()).await.unwrap();
    let two = sessions.begin(&HeaderMap::new(), &alice()).await.unwrap();
    assert_eq!(sessions.find(&sending(&[one, two].concat())).await.unwrap(), Found::Stale);
}

#[tokio::test]
async fn a_password_shown_again_keeps_the_session_unless_the_groups_changed() {
    let sessions = sessions(None);
    let browser = sending(&sessions.begin(&HeaderMap::new(), &alice()).await.unwrap());
    assert_eq!(sessions.begin_or_keep(&browser, &alice()).await.unwrap(), Vec::<HeaderValue>::new());
    let fewer = Session { groups: vec!["a".to_owned()], ..alice() };
    let after = sending(&sessions.begin_or_keep(&browser, &fewer).await.unwrap());
    assert_eq!(sessions.find(&after).await.unwrap(), Found::Session(fewer), "groups are replaced, not added to");
    assert_eq!(sessions.find(&browser).await.unwrap(), Found::Stale);
}

#[tokio::test]
async fn a_forged_or_foreign_cookie_leads_nowhere() {
    let (signed, plain) = (sessions(Some("key")), sessions(None));
    let cookies = plain.begin(&HeaderMap::new(), &alice()).await.unwrap();
    assert_eq!(signed.find(&sending(&cookies)).await.unwrap(), Found::Stale);
    for forged in ["session=", "session=a.b", "session=%00", "session=../../etc/passwd"] {
        assert_eq!(signed.find(&showing(forged)).await.unwrap(), Found::Stale, "{forged}");
        assert_eq!(plain.find(&showing(forged)).await.unwrap(), Found::Stale, "{forged}");
    }
}

#[tokio::test]
async fn a_session_ends_after_two_hours_even_if_its_store_forgets_to() {
    let sessions = sessions(None);
    let old = Session { begun_unix_ms: now_unix_ms() - LIFE_MS, ..alice() };
    let browser = sending(&sessions.begin(&HeaderMap::new(), &old).await.unwrap());
    assert_eq!(sessions.find(&browser).await.unwrap(), Found::Stale);
    let nearly = Session { begun_unix_ms: now_unix_ms() - LIFE_MS + 60_000, ..alice() };
    let browser = sending(&sessions.begin(&HeaderMap::new(), &nearly).await.unwrap());
    assert_eq!(sessions.find(&browser).await.unwrap(), Found::Session(nearly));
}

#[tokio::test]
async fn a_store_that_is_away_is_neither_a_session_nor_none() {
    let sessions = Sessions::new(Arc::new(Away), None, false);
    let browser = showing(&format!("session={}", Token::random().reveal()));
    assert!(sessions.find(&browser).await.is_err() && sessions.end(&browser).await.is_err());
    assert!(sessions.begin(&browser, &alice()).await.is_err());
    assert_eq!(sessions.find(&HeaderMap::new()).await.unwrap(), Found::Nothing, "nothing is asked for nothing");
}

/// Two gateways that share the store of sessions and the records of users.
fn gateways() -> [Sessions; 2] {
    let (store, registry) = (Arc::new(MemoryStore::new(1000)), Arc::new(MemoryRegistry::default()));
    [(); 2].map(|()| {
        let accounts = Arc::new(Accounts::new(registry.clone()));
        Sessions::new(Arc::<MemoryStore>::clone(&store), None, false).marked_in(accounts)
    })
}

async fn log_in(sessions: &Sessions, user: &str) -> HeaderMap {
    let session = Session::new(user, vec![], LoginMethod::Htpasswd, None);
    sending(&sessions.begin(&HeaderMap::new(), &session).await.unwrap())
}

/// Whose session it is, if it is one.
async fn user(sessions: &Sessions, browser: &HeaderMap) -> Option<String> {
    match sessions.find(browser).await.unwrap() {
        Found::Session(session) => Some(session.user),
        Found::Nothing | Found::Stale => None,
    }
}

#[tokio::test(start_paused = true)]
async fn who_logs_out_everywhere_has_no_session_left_and_may_log_in_again() {
    let [here, there] = gateways();
    let (one, other, bobs) = (log_in(&here, "alice").await, log_in(&there, "alice").await, log_in(&there, "bob").await);
    let seen = (user(&here, &other).await, user(&there, &one).await, user(&there, &other).await);
    assert_eq!(seen, (Some("alice".into()), Some("alice".into()), Some("alice".into())));

    assert_eq!(here.end_all(&one).await.unwrap().unwrap().user, "alice");
    assert_eq!((user(&here, &one).await, user(&here, &other).await), (None, None), "here at once");
    assert_eq!(here.end_all(&one).await.unwrap(), None, "what has ended ends nothing");
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!((user(&there, &other).await, user(&there, &bobs).await), (None, Some("bob".into())), "elsewhere after a moment");

    // Whoever logs in at once is in, at every gateway, and can end that as well.
    let (again, elsewhere) = (log_in(&here, "alice").await, log_in(&there, "alice").await);
    for browser in [&again, &elsewhere] {
        assert_eq!((user(&here, browser).await, user(&there, browser).await), (Some("alice".into()), Some("alice".into())));
    }
    there.end_all(&elsewhere).await.unwrap().unwrap();
    assert_eq!(user(&there, &again).await, None);
    assert_eq!(user(&there, &log_in(&there, "alice").await).await.as_deref(), Some("alice"));
}

#[tokio::test]
async fn a_session_from_a_gateway_whose_clock_is_ahead_ends_with_the_others() {
    let [here, there] = gateways();
    let ahead = Session { begun_unix_ms: now_unix_ms() + 50_000, ..Session::new("alice", vec![], LoginMethod::Htpasswd, None) };
    let early = sending(&there.begin(&HeaderMap::new(), &ahead).await.unwrap());
    here.end_all(&log_in(&here, "alice").await).await.unwrap().unwrap();
    assert_eq!(user(&here, &early).await, None);
}

#[tokio::test]
async fn a_password_shown_after_all_sessions_ended_makes_another_one() {
    let [here, _] = gateways();
    let browser = sending(&here.begin(&HeaderMap::new(), &alice()).await.unwrap());
    here.end_all(&browser).await.unwrap().unwrap();
    let after = sending(&here.begin_or_keep(&browser, &alice()).await.unwrap());
    assert_eq!(user(&here, &after).await.as_deref(), Some("alice"));
}
