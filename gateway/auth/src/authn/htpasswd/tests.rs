//! Files as people and tools write them, and what becomes of users when the file changes.

use std::{fs, os::unix::fs::symlink};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const POLL: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(60);

/// A file that is watched for as long as the test runs.
struct Watched {
    folder: TempDir,
    htpasswd: Htpasswd,
    tasks: Tasks,
}

impl Watched {
    fn new(text: &str) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("htpasswd"), text).unwrap();
        Self::at(folder, "htpasswd")
    }

    fn at(folder: TempDir, name: &str) -> Self {
        let tasks = Tasks::new();
        let htpasswd = Htpasswd::open(folder.path().join(name), POLL, &tasks).unwrap();
        Self { folder, htpasswd, tasks }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn lets_in(&self, user: &str, password: &str) -> bool {
        match self.htpasswd.check(user, &Secret::new(password)).await {
            Verdict::Proved(proof) => {
                assert_eq!((proof.user.as_deref(), proof.method), (Some(user), Method::Htpasswd));
                true
            }
            Verdict::Wrong => false,
            Verdict::Unavailable { source, .. } => panic!("{source}"),
        }
    }

    async fn until(&self, user: &str, known: bool) {
        let known = async { while self.lets_in(user, "secret").await != known {} };
        tokio::time::timeout(PATIENCE, known).await.expect("the file is read again");
    }
}

fn line(user: &str) -> String {
    format!("{user}:{}\n", hash("secret"))
}

fn hash(password: &str) -> String {
    bcrypt::hash(password, 4).unwrap()
}

#[tokio::test]
async fn hashes_of_other_programs_are_understood() {
    let watched = Watched::new(include_str!("tests/of-other-programs"));
    for user in ["bcrypt-2a", "bcrypt-2b", "bcrypt-2y", "sha256", "sha256-rounds", "sha512", "sha512-rounds"] {
        assert!(watched.lets_in(user, "secret").await, "{user}");
        for wrong in ["Secret", "secre", "secret ", ""] {
            assert!(!watched.lets_in(user, wrong).await, "{user}: {wrong:?}");
        }
    }
    assert!(watched.lets_in("umlaut", "pässwörd").await);
    assert!(!watched.lets_in("umlaut", "password").await);
    for user in ["apr1", "sha1", "crypt", "plain", "bcrypt-2x", "md5"] {
        assert!(!watched.lets_in(user, "secret").await, "{user}");
    }
}

#[tokio::test]
async fn a_file_is_read_line_by_line() {
    let (first, last) = (hash("first"), hash("secret"));
    let text = format!("\u{feff}# staff\n\nalice:{first}\r\nbob:{last}\r\n   \nalice:{last}\n:{last}\nnobody\nca rl:{last}");
    let watched = Watched::new(&text);
    assert!(watched.lets_in("alice", "secret").await, "the last line counts");
    assert!(!watched.lets_in("alice", "first").await);
    assert!(watched.lets_in("bob", "secret").await);
    assert!(watched.lets_in("ca rl", "secret").await, "names are not trimmed, and a last line needs no end");
    for user in ["", "nobody", "# staff", "ALICE", "alice "] {
        assert!(!watched.lets_in(user, "secret").await, "{user:?}");
    }
    let (_, complaints) = Users::parse(text.as_bytes());
    assert_eq!(complaints, [Complaint { line: 7, reason: users::Reason::Name }, Complaint { line: 8, reason: users::Reason::Form }]);
}

#[tokio::test]
async fn a_last_line_that_is_unusable_hides_the_others_of_its_name() {
    let watched = Watched::new(&format!("{}alice:{{SHA}}5en6G6MezRroT3XKqkdPOmY/BfQ=\n", line("alice")));
    assert!(!watched.lets_in("alice", "secret").await);
}

#[test]
fn no_complaint_tells_a_hash() {
    let wrong = [
        "$2y$99$abcdefghijklmnopqrstuv",
        "$apr1$canary",
        "canary",
        "$5$canary",
        "$6$rounds=99$canary$canary",
        "$6$rounds=99999999$a$b",
        "{SHA}canary",
    ];
    for hash in wrong {
        let (users, complaints) = Users::parse(format!("alice:{hash}\ncanary\n").as_bytes());
        assert_eq!((users.usable(), complaints.len()), (0, 2), "{hash}");
        let told = format!("{users:?} {complaints:?} {}", complaints[0].reason);
        assert!(!told.contains("canary"), "{told}");
    }
    let (users, _) = Users::parse(line("alice").as_bytes());
    assert!(!format!("{users:?}").contains("$2"), "{users:?}");
}

#[test]
fn hashes_that_would_take_too_long_are_refused() {
    let salted = "N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
    for cost in ["18", "31"] {
        assert_eq!(hash::Hash::parse(&format!("$2b${cost}${salted}")).unwrap_err(), hash::Unusable::TooCostly);
    }
    assert!(hash::Hash::parse(&format!("$2b$17${salted}")).is_ok());
    let digest = "a".repeat(86);
    assert_eq!(hash::Hash::parse(&format!("$6$rounds=10000001$salt${digest}")).unwrap_err(), hash::Unusable::TooCostly);
    assert!(hash::Hash::parse(&format!("$6$rounds=10000000$salt${digest}")).is_ok());
    for digest in [&digest[1..], "", &format!("{digest}a"), &"!".repeat(86)] {
        assert_eq!(hash::Hash::parse(&format!("$6$salt${digest}")).unwrap_err(), hash::Unusable::Malformed, "{digest}");
    }
}

#[tokio::test]
async fn a_password_that_would_be_cut_is_refused() {
    let cut = "x".repeat(72);
    let watched = Watched::new(&format!("alice:{}\n", hash(&cut)));
    assert!(watched.lets_in("alice", &cut).await);
    assert!(!watched.lets_in("alice", &format!("{cut}y")).await);
    let watched = Watched::new(include_str!("tests/of-other-programs"));
    assert!(!watched.lets_in("sha512", &"x".repeat(1024 * 1024)).await);
}

#[test]
fn somebody_unknown_is_checked_against_a_hash_of_the_file_always_the_same() {
    let (users, _) = Users::parse(format!("{}{}bob:nothing\n", line("alice"), line("carl")).as_bytes());
    for name in ["mallory", "", "bob"] {
        let (hash, own) = users.hash_for(name).unwrap();
        assert!(!own && hash.verify("secret"), "{name}: even with the right password of the other it is nobody's");
        assert!((0..10).all(|_| std::ptr::eq(users.hash_for(name).unwrap().0, hash)));
    }
    assert!(users.hash_for("alice").unwrap().1);
    assert!(Users::parse(b"").0.hash_for("alice").is_none());
}

#[tokio::test]
async fn the_right_password_of_somebody_else_lets_nobody_unknown_in() {
    let watched = Watched::new(&line("alice"));
    assert!(!watched.lets_in("mallory", "secret").await);
}

#[test]
fn a_file_that_is_missing_or_too_large_is_an_error_that_names_it() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("htpasswd");
    let tasks = Tasks::new();
    let refused = |path: &Path| chain(&Htpasswd::open(path.to_owned(), POLL, &tasks).unwrap_err()).to_string();
    assert!(refused(&path).starts_with(&format!("read htpasswd file `{}`: ", path.display())), "{}", refused(&path));
    File::create(&path).unwrap().set_len(FILE_BYTES_MAX + 1).unwrap();
    assert!(refused(&path).contains("larger than 4194304 bytes"), "{}", refused(&path));
    let mut config = Config::default();
    config.http.auth.htpasswd = Some(zot_config::http::auth::Htpasswd { path });
    assert_eq!(check(&config).unwrap().path.as_str(), "http.auth.htpasswd.path");
}

#[tokio::test]
async fn a_file_rewritten_in_place_or_renamed_over_is_read_again() {
    let watched = Watched::new(&line("alice"));
    let before = watched.htpasswd.version();
    fs::write(watched.path("htpasswd"), format!("{}{}", line("alice"), line("bob"))).unwrap();
    watched.until("bob", true).await;
    assert!(watched.htpasswd.version() > before);
    fs::write(watched.path("new"), line("carl")).unwrap();
    fs::rename(watched.path("new"), watched.path("htpasswd")).unwrap();
    watched.until("carl", true).await;
    assert!(!watched.lets_in("alice", "secret").await && !watched.lets_in("bob", "secret").await);
}

#[tokio::test]
async fn a_folder_swapped_behind_a_link_is_read_again() {
    let folder = TempDir::new().unwrap();
    for (name, user) in [("v1", "alice"), ("v2", "bob")] {
        fs::create_dir(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join("htpasswd"), line(user)).unwrap();
    }
    symlink("v1", folder.path().join("data")).unwrap();
    symlink("data/htpasswd", folder.path().join("htpasswd")).unwrap();
    let watched = Watched::at(folder, "htpasswd");
    assert!(watched.lets_in("alice", "secret").await);
    symlink("v2", watched.path("data.new")).unwrap();
    fs::rename(watched.path("data.new"), watched.path("data")).unwrap();
    watched.until("bob", true).await;
    assert!(!watched.lets_in("alice", "secret").await);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_any_more_changes_nothing() {
    let watched = Watched::new(&line("alice"));
    fs::remove_file(watched.path("htpasswd")).unwrap();
    let tried = async {
        while !watched.htpasswd.0.changes.is_current() {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(PATIENCE, tried).await.unwrap();
    assert!(watched.lets_in("alice", "secret").await);
    fs::write(watched.path("htpasswd"), line("bob")).unwrap();
    watched.until("bob", true).await;
    assert!(!watched.lets_in("alice", "secret").await);
}

#[tokio::test]
async fn the_watch_ends_with_those_who_run_it() {
    let watched = Watched::new(&line("alice"));
    assert_eq!(watched.tasks.running(), ["watch-htpasswd"]);
    assert_eq!(watched.tasks.shutdown(PATIENCE).await, [""; 0]);
}

proptest! {
    #[test]
    fn any_bytes_are_a_file(text in prop::collection::vec(any::<u8>(), 0..400)) {
        let (users, complaints) = Users::parse(&text);
        let lines = text.split(|byte| *byte == b'\n').count();
        prop_assert!(users.usable() + complaints.len() <= lines);
        prop_assert!(complaints.iter().all(|complaint| (1..=lines).contains(&complaint.line)));
    }

    #[test]
    fn text_that_looks_like_a_file_is_taken_or_complained_of(
        lines in prop::collection::vec("(#|[a-c]{0,2})(:|)(\\$2[abxy]\\$|\\$5\\$|\\$6\\$|\\$6\\$rounds=|)[0-9a-z./$ä]{0,100}\r?", 0..8),
    ) {
        let (users, complaints) = Users::parse(lines.join("\n").as_bytes());
        prop_assert!(users.usable() + complaints.len() <= lines.len().max(1));
    }

    #[test]
    fn the_last_line_of_a_name_counts(order in prop::collection::vec((0..3_usize, any::<bool>()), 1..20)) {
        let good = "$2y$04$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
        let names = ["alice", "bob", "carl"];
        let text: String = order.iter().map(|(name, usable)| format!("{}:{}\n", names[*name], if *usable { good } else { "x" })).collect();
        let (users, complaints) = Users::parse(text.as_bytes());
        for (index, name) in names.iter().enumerate() {
            let last = order.iter().rev().find(|(written, _)| *written == index).is_some_and(|(_, usable)| *usable);
            prop_assert_eq!(users.hash_for(name).is_some_and(|(_, own)| own), last);
        }
        prop_assert_eq!(complaints.len(), order.iter().filter(|(_, usable)| !usable).count());
    }
}
