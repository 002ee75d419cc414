//! Files that change while they are served.

use std::os::unix::fs::symlink;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::fingerprint::Fingerprint;
use crate::tasks::Tasks;
use crate::telemetry::LogLevel;
use crate::telemetry::tests::TestLog;

const POLL: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(30);

/// A source watched for as long as the test runs.
struct Watched {
    source: Arc<TlsSource>,
    tasks: Tasks,
}

impl Watched {
    fn new(files: TlsFiles) -> Self {
        let source = Arc::new(TlsSource::load(files).unwrap());
        let tasks = Tasks::new();
        tasks.spawn("tls-reload", Arc::clone(&source).watch(POLL, tasks.stop()));
        Self { source, tasks }
    }

    async fn until_served(&self, authority: &Authority, certificate: &CertificateDer<'static>) {
        let served = async { while served_certificate(&self.source, authority).await != *certificate {} };
        tokio::time::timeout(PATIENCE, served).await.expect("the new certificate is served");
    }

    /// Waits until the watcher has tried the files as they are, and given up on them.
    async fn until_tried(&self) {
        let tried = async {
            while !self.source.changes.is_current() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, tried).await.expect("the files are tried");
    }

    async fn stop(self) {
        assert_eq!(self.tasks.shutdown(PATIENCE).await, [""; 0]);
        assert_eq!(self.tasks.panics(), 0);
    }
}

#[tokio::test]
async fn files_renamed_over_are_reloaded() {
    let (server, _) = ServerFiles::new();
    let watched = Watched::new(server.files());
    let next = server.authority.issue();
    server.rename_over("cert.pem", &next.cert_pem);
    server.rename_over("key.pem", &next.key.serialize_pem());
    watched.until_served(&server.authority, &next.cert).await;
    watched.stop().await;
}

#[tokio::test]
async fn files_rewritten_in_place_are_reloaded() {
    let (server, _) = ServerFiles::new();
    let watched = Watched::new(server.files());
    for _ in 0..2 {
        let next = server.authority.issue();
        server.write("cert.pem", &next.cert_pem);
        server.write("key.pem", &next.key.serialize_pem());
        watched.until_served(&server.authority, &next.cert).await;
    }
    watched.stop().await;
}

#[tokio::test]
async fn a_folder_swapped_behind_a_link_is_reloaded() {
    let (server, _) = ServerFiles::new();
    let folder = |name: &str, identity: &Identity| {
        std::fs::create_dir(server.path(name)).unwrap();
        server.write(&format!("{name}/cert.pem"), &identity.cert_pem);
        server.write(&format!("{name}/key.pem"), &identity.key.serialize_pem());
    };
    let (first, second) = (server.authority.issue(), server.authority.issue());
    folder("v1", &first);
    folder("v2", &second);
    symlink("v1", server.path("data")).unwrap();
    let watched = Watched::new(TlsFiles {
        cert: server.path("data/cert.pem"),
        key: server.path("data/key.pem"),
        client_ca: None,
        client_optional: false,
    });
    assert_eq!(served_certificate(&watched.source, &server.authority).await, first.cert);
    symlink("v2", server.path("data.new")).unwrap();
    std::fs::rename(server.path("data.new"), server.path("data")).unwrap();
    watched.until_served(&server.authority, &second.cert).await;
    watched.stop().await;
}

#[tokio::test]
async fn a_bad_pair_keeps_the_old_one_and_a_good_one_after_it_is_taken() {
    let (server, first) = ServerFiles::new();
    let watched = Watched::new(server.files());
    let next = server.authority.issue();
    server.rename_over("cert.pem", &next.cert_pem);
    watched.until_tried().await;
    assert_eq!(served_certificate(&watched.source, &server.authority).await, first);
    std::fs::remove_file(server.path("cert.pem")).unwrap();
    watched.until_tried().await;
    assert_eq!(served_certificate(&watched.source, &server.authority).await, first);
    server.rename_over("key.pem", &next.key.serialize_pem());
    server.rename_over("cert.pem", &next.cert_pem);
    watched.until_served(&server.authority, &next.cert).await;
    watched.stop().await;
}

#[tokio::test]
async fn the_client_authority_is_reloaded_too() {
    let (server, _) = ServerFiles::new();
    let (old, new) = (Authority::new(), Authority::new());
    server.write("ca.pem", &old.0.pem());
    let watched = Watched::new(TlsFiles { client_ca: Some(server.path("ca.pem")), ..server.files() });
    let identity = new.issue();
    assert!(connect(&watched.source, with_identity(&server.authority, &identity)).await.is_err());
    server.rename_over("ca.pem", &new.0.pem());
    let accepted = async { while connect(&watched.source, with_identity(&server.authority, &identity)).await.is_err() {} };
    tokio::time::timeout(PATIENCE, accepted).await.expect("the new authority is trusted");
    watched.stop().await;
}

#[tokio::test]
async fn reloading_on_request_reports_what_is_wrong_and_keeps_the_old_pair() {
    let (server, first) = ServerFiles::new();
    let source = server.load();
    server.write("key.pem", "");
    assert!(matches!(source.reload(), Err(TlsError::Missing { .. })));
    assert_eq!(served_certificate(&source, &server.authority).await, first);
}

#[tokio::test]
async fn a_cancelled_watch_ends() {
    let (server, _) = ServerFiles::new();
    let stop = CancellationToken::new();
    stop.cancel();
    Arc::new(server.load()).watch(PATIENCE, stop).await;
}

#[test]
fn a_bad_pair_is_logged_once_with_its_file_and_reason() {
    let (server, _) = ServerFiles::new();
    let source = server.load();
    server.write("key.pem", "nothing");
    let log = TestLog::of(LogLevel::Info, |_| {
        let mut seen = Fingerprint::of([]);
        for _ in 0..4 {
            seen = source.changes.look(&seen, || source.reload_logged());
        }
    });
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{}", log.text());
    assert_eq!(lines[0]["level"], "warn");
    assert!(lines[0]["error"].as_str().unwrap().contains("find a private key in"), "{}", log.text());
    assert!(lines[0]["cert"].as_str().unwrap().ends_with("cert.pem"), "{}", log.text());
}
