//! Sessions as browsers see them: fixation, forgery, expiry, and a store that is away.

use http::header::COOKIE;

use super::*;

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

fn alice() -> Session {
    Session::new("alice", vec!["a".to_owned(), "b".to_owned()], LoginMethod::Ldap, None)
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
    let old = Session { created: now() - SESSION_LIFE.as_secs(), ..alice() };
    let browser = sending(&sessions.begin(&HeaderMap::new(), &old).await.unwrap());
    assert_eq!(sessions.find(&browser).await.unwrap(), Found::Stale);
    let nearly = Session { created: now() - SESSION_LIFE.as_secs() + 60, ..alice() };
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
