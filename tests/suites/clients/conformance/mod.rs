//! The specification's own conformance suite against the real binary, with every workflow on: nothing may fail and nothing may be skipped.

mod report;
mod suite;

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    path::Path,
    time::Duration,
};

use tempfile::TempDir;
use tokio::{process::Command, time::timeout};
use zot_tests::{Cluster, Sandbox, cluster::Services, shapes::Shape, skip::skip};

use crate::authority::Authority;

use self::{
    report::Counts,
    suite::{MAIN, RELEASE_1_1_1, Suite},
};

/// How long a run may take; it takes seconds.
const PATIENCE: Duration = Duration::from_secs(180);
/// Settings for a registry without TLS.
const PLAIN: &[(&str, &str)] = &[("OCI_TLS", "disabled")];

#[tokio::test]
async fn nothing_fails_or_is_skipped_in_profile_1_1() {
    let registry = Sandbox::start().await;
    run_main("1.1", registry.address(), registry.directory(), PLAIN).await;
}

#[tokio::test]
async fn nothing_fails_or_is_skipped_in_the_profile_of_what_comes_next() {
    let registry = Sandbox::start().await;
    run_main("dev", registry.address(), registry.directory(), PLAIN).await;
}

/// Each request of a test meets another gateway.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_fails_or_is_skipped_in_a_cluster() {
    if let Err(reason) = Services::available() {
        return skip("conformance in a cluster", &reason);
    }
    let cluster = Cluster::builder().shared(&Services::shared().await.endpoints()).start().await;
    let front = cluster.front().await;
    for profile in ["1.1", "dev"] {
        if !run_main(profile, front.address(), cluster.directory(), PLAIN).await {
            return;
        }
    }
    assert!(front.shares().iter().all(|requests| *requests > 500), "{:?}", front.shares());
}

/// Go speaks HTTP/2 where the server offers it under TLS.
#[tokio::test]
async fn nothing_fails_or_is_skipped_over_tls() {
    let authority = Authority::new();
    let (registry, home) = (authority.registry(Shape::AllInOne).await, TempDir::new().expect("a directory"));
    let trusted = authority.write(&home.path().join("trusted.pem"));
    let settings = [("OCI_TLS", "enabled"), ("SSL_CERT_FILE", trusted.to_str().expect("a readable path"))];
    run_main("dev", registry.address(), home.path(), &settings).await;
}

/// The suite as it was released with 1.1.1, which is another program than that of today.
#[tokio::test]
async fn nothing_fails_in_the_suite_of_release_1_1_1() {
    let (registry, settings) =
        (Sandbox::start().await, "OCI_TEST_PULL OCI_TEST_PUSH OCI_TEST_CONTENT_DISCOVERY OCI_TEST_CONTENT_MANAGEMENT");
    let Some(counts) = run(&RELEASE_1_1_1, "1.1.1", |command| {
        command.arg("-ginkgo.no-color").env("OCI_ROOT_URL", registry.url()).env("OCI_NAMESPACE", "conformance/one");
        command.env("OCI_CROSSMOUNT_NAMESPACE", "conformance/two").env("OCI_AUTOMATIC_CROSSMOUNT", "1").env("OCI_REPORT_DIR", "none");
        command.env("OCI_HIDE_SKIPPED_WORKFLOWS", "0").envs(settings.split(' ').map(|workflow| (workflow, "1")));
    })
    .await
    else {
        return;
    };
    // What is left are alternatives: content named by the environment instead of pushed (2), and what a mount answers that another one did not (2).
    assert_eq!((counts.failed, counts.skipped), (0, 4));
    assert_eq!(counts.passed, 75);
}

/// Whether it could be run.
async fn run_main(profile: &str, address: SocketAddr, directory: &Path, settings: &[(&str, &str)]) -> bool {
    let what = format!("{profile} at {address}");
    let Some(counts) = run(&MAIN, &what, |command| {
        command.env("OCI_REGISTRY", address.to_string()).envs(settings.iter().copied()).env("OCI_VERSION", profile);
        command.env("OCI_RESULTS_DIR", directory.join(format!("conformance-{profile}"))).current_dir(directory);
    })
    .await
    else {
        return false;
    };
    assert_eq!((counts.failed, counts.skipped), (0, 0), "{what}");
    assert!(counts.passed > 800, "{what}: only {} tests ran", counts.passed);
    true
}

/// Runs a suite and says what it counted, or says why it cannot run here.
async fn run(suite: &Suite, what: &str, set_up: impl FnOnce(&mut Command)) -> Option<Counts> {
    let program = match suite.program().await {
        Ok(program) => program,
        Err(reason) => {
            skip(&format!("conformance {what}"), &reason);
            return None;
        }
    };
    let mut command = Command::new(program);
    set_up(&mut command);
    let output = timeout(PATIENCE, command.kill_on_drop(true).output()).await.expect("the suite ends").expect("the suite starts");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let counts = Counts::read(&text).unwrap_or_else(|| panic!("no counts in what the suite printed:\n{text}"));
    if counts.failed + counts.skipped > 0 {
        let lines: Vec<&str> = text.lines().filter(|line| report::tells_of_a_failure(line)).collect();
        say(&lines.join("\n"));
    }
    say(&format!("conformance {what} ({}): {counts}", suite.version));
    Some(counts)
}

fn say(text: &str) {
    // Not a printing macro: the test harness would swallow what a test that passes says.
    writeln!(io::stderr().lock(), "{text}").ok();
}
