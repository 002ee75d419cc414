//! A changed configuration is taken up while the registry serves.

use std::{fs, path::Path};

use serde_json::Value;
use zot_tests::{Sandbox, sandbox::Signal, wait};

/// Changes the file as an administrator's tool does: another one takes its place.
fn change(file: &Path, change: impl FnOnce(&mut Value)) {
    let mut config: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    change(&mut config);
    let new = file.with_extension("new");
    fs::write(&new, config.to_string()).unwrap();
    fs::rename(new, file).unwrap();
}

const POLICY: &str = r#"{"repositories": {"**": {"anonymousPolicy": ["read", "create"]}}}"#;

#[tokio::test]
async fn who_may_do_what_changes_with_the_file() {
    let sandbox = Sandbox::builder().set("/http/accessControl", serde_json::from_str::<Value>(POLICY).unwrap()).start().await;
    let client = sandbox.client();
    let digest = client.push_blob("a", b"pushed by anybody").await;
    let file = sandbox.config_file();
    change(&file, |config| config["http"]["accessControl"]["repositories"]["**"]["anonymousPolicy"] = "read".into());
    wait::until("nobody may push any more", async || client.post("/v2/a/blobs/uploads/").await.status == 401).await;
    client.get_blob("a", &digest).await.expect(200);
    // A signal has the file read at once, and what stands in it in the old place is found too.
    fs::write(&file, fs::read_to_string(&file).unwrap().replace("\"read\"", "\"create\"")).unwrap();
    sandbox.signal(Signal::HUP);
    wait::until("nobody may pull any more", async || client.get_blob("a", &digest).await.status == 401).await;
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_what_needs_a_restart_is_named() {
    let mut sandbox = Sandbox::builder().set("/http/accessControl", serde_json::from_str::<Value>(POLICY).unwrap()).start().await;
    sandbox.tolerate_errors("failed to reload config");
    let client = sandbox.client();
    let file = sandbox.config_file();
    change(&file, |config| config["http"]["accessControl"]["repositories"]["**"]["anonymousPolicy"] = "everything".into());
    wait::until("the file was refused", async || sandbox.logs().text().contains("failed to reload config")).await;
    client.push_blob("a", b"as before").await;
    change(&file, |config| {
        config["http"]["accessControl"]["repositories"]["**"]["anonymousPolicy"] = "read".into();
        config["http"]["port"] = "1".into();
    });
    // That the file is read is told before what follows from it holds.
    wait::until("the file was taken up", async || sandbox.logs().text().contains("who may do what is taken up from the configuration"))
        .await;
    let logs = sandbox.logs();
    let log = logs.text();
    assert_eq!(logs.with_message("loaded new configuration settings").len(), 1, "{log}");
    assert!(log.contains("some changed keys are taken up at the next start only") && log.contains("http.port"), "{log}");
    client.post("/v2/a/blobs/uploads/").await.expect(401);
}
