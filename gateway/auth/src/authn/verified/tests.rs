//! What is remembered and for how long, and how often the source is asked.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::*;
use crate::Method;

/// Knows one user, answers when it is let, and counts how often it was asked.
#[derive(Debug)]
struct Source {
    password: Mutex<&'static str>,
    version: AtomicU64,
    asked: AtomicUsize,
    available: bool,
    answers: Semaphore,
}

/// The decorator over a source that the test still reaches.
#[derive(Debug)]
struct Reached(Arc<Source>);

#[async_trait::async_trait]
impl PasswordSource for Reached {
    async fn check(&self, user: &str, password: &Secret) -> Verdict {
        self.0.asked.fetch_add(1, Ordering::Relaxed);
        let known = user == "alice" && password.reveal() == *self.0.password.lock();
        self.0.answers.acquire().await.unwrap().forget();
        match (self.0.available, known) {
            (false, _) => Verdict::Unavailable { what: "the directory", source: "connection refused".into() },
            (true, true) => Verdict::Proved(Proof { groups: vec!["staff".into()], ..Proof::of_user(user, Method::Ldap) }),
            (true, false) => Verdict::Wrong,
        }
    }

    fn version(&self) -> u64 {
        self.0.version.load(Ordering::Relaxed)
    }
}

fn over(available: bool, answers: usize) -> (Arc<Source>, Arc<Verified>) {
    let source = Source {
        password: Mutex::new("secret"),
        version: AtomicU64::new(3),
        asked: AtomicUsize::new(0),
        available,
        answers: Semaphore::new(answers),
    };
    let source = Arc::new(source);
    let verified = Verified::new(Box::new(Reached(Arc::clone(&source))), Duration::from_secs(60));
    (source, Arc::new(verified))
}

impl Source {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// Lets another password count, and says so.
    fn learn(&self, password: &'static str) {
        *self.password.lock() = password;
        self.version.fetch_add(1, Ordering::Relaxed);
    }
}

async fn lets_in(verified: &Verified, user: &str, password: &str) -> bool {
    match verified.check(user, &Secret::new(password)).await {
        Verdict::Proved(proof) => {
            assert_eq!((proof.user.as_deref(), proof.method, &proof.groups[..]), (Some(user), Method::Ldap, &["staff".into()][..]));
            true
        }
        Verdict::Wrong => false,
        Verdict::Unavailable { source, .. } => panic!("{source}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_found_good_is_not_asked_again_for_its_time() {
    let (source, verified) = over(true, 10);
    for _ in 0..3 {
        assert!(lets_in(&verified, "alice", "secret").await);
    }
    assert_eq!(source.asked(), 1);
    tokio::time::advance(Duration::from_secs(60)).await;
    assert!(lets_in(&verified, "alice", "secret").await);
    assert_eq!(source.asked(), 2);
}

#[tokio::test]
async fn only_exactly_the_same_credentials_are_remembered() {
    let (source, verified) = over(true, 10);
    assert!(lets_in(&verified, "alice", "secret").await);
    for (user, password) in [("alic", "esecret"), ("alices", "ecret"), ("bob", "secret"), ("alice", "Secret"), ("alice", "")] {
        assert!(!lets_in(&verified, user, password).await, "{user} {password}");
    }
    assert_eq!(source.asked(), 6);
}

#[tokio::test]
async fn what_was_found_wrong_is_asked_again() {
    let (source, verified) = over(true, 10);
    assert!(!lets_in(&verified, "alice", "wrong").await);
    assert!(!lets_in(&verified, "alice", "wrong").await);
    assert_eq!(source.asked(), 2);
    assert!(verified.state.lock().flights.is_empty());
}

#[tokio::test]
async fn everything_is_forgotten_when_the_source_learns_something() {
    let (source, verified) = over(true, 10);
    assert!(lets_in(&verified, "alice", "secret").await);
    source.learn("other");
    assert!(!lets_in(&verified, "alice", "secret").await);
    assert!(lets_in(&verified, "alice", "other").await);
}

#[tokio::test]
async fn a_verdict_that_was_overtaken_is_not_remembered() {
    let (source, verified) = over(true, 0);
    let asking = Arc::clone(&verified);
    let overtaken = tokio::spawn(async move { lets_in(&asking, "alice", "secret").await });
    while source.asked() == 0 {
        tokio::task::yield_now().await;
    }
    source.learn("other");
    source.answers.add_permits(2);
    assert!(overtaken.await.unwrap(), "it was right when it was asked");
    assert!(!lets_in(&verified, "alice", "secret").await);
    assert_eq!(source.asked(), 2);
}

#[tokio::test]
async fn of_a_burst_of_the_same_one_asks_for_all() {
    for password in ["secret", "wrong"] {
        let (source, verified) = over(true, 0);
        let burst: Vec<_> = (0..50)
            .map(|_| {
                let verified = Arc::clone(&verified);
                tokio::spawn(async move { lets_in(&verified, "alice", password).await })
            })
            .collect();
        let all_wait = async {
            while verified.state.lock().flights.values().map(Arc::strong_count).sum::<usize>() < 51 {
                tokio::task::yield_now().await;
            }
        };
        all_wait.await;
        source.answers.add_permits(1);
        for answer in burst {
            assert_eq!(answer.await.unwrap(), password == "secret");
        }
        assert_eq!(source.asked(), 1, "{password}");
        assert!(verified.state.lock().flights.is_empty());
    }
}

#[tokio::test]
async fn who_goes_away_while_asking_for_others_is_replaced() {
    let (source, verified) = over(true, 0);
    let ask = || {
        let verified = Arc::clone(&verified);
        tokio::spawn(async move { lets_in(&verified, "alice", "secret").await })
    };
    let first = ask();
    while source.asked() == 0 {
        tokio::task::yield_now().await;
    }
    let second = ask();
    while verified.state.lock().flights.values().map(Arc::strong_count).sum::<usize>() < 3 {
        tokio::task::yield_now().await;
    }
    first.abort();
    assert!(first.await.is_err());
    source.answers.add_permits(1);
    assert!(second.await.unwrap());
    assert_eq!(source.asked(), 2);
    assert!(verified.state.lock().flights.is_empty());
}

#[tokio::test]
async fn nothing_stays_of_those_who_all_go_away() {
    let (source, verified) = over(true, 0);
    let asking = Arc::clone(&verified);
    let first = tokio::spawn(async move { lets_in(&asking, "alice", "secret").await });
    while source.asked() == 0 {
        tokio::task::yield_now().await;
    }
    first.abort();
    assert!(first.await.is_err());
    assert!(verified.state.lock().flights.is_empty());
}

#[tokio::test]
async fn a_source_that_cannot_be_asked_is_not_remembered() {
    let (source, verified) = over(false, 10);
    for _ in 0..2 {
        let verdict = verified.check("alice", &Secret::new("secret")).await;
        assert!(matches!(&verdict, Verdict::Unavailable { what: "the directory", source } if source.to_string() == "connection refused"));
    }
    assert_eq!(source.asked(), 2);
}

#[test]
fn neither_names_nor_passwords_are_in_what_is_kept() {
    let (_, verified) = over(true, 1);
    let told = format!("{:?}", verified.key("alice", &Secret::new("canary")));
    assert!(!told.contains("canary"));
    let (_, other) = over(true, 1);
    assert_ne!(verified.key("alice", &Secret::new("secret")), other.key("alice", &Secret::new("secret")), "keys are of one process");
}
