//! Starting: from nothing, twice, and where somebody else is already.

use std::{fs, net::TcpListener};

use zot_tests::{Image, Sandbox, sandbox, wait};

#[tokio::test]
async fn the_first_line_for_people_says_where_it_is_and_how_to_push() {
    let sandbox = Sandbox::start().await;
    let address = sandbox.address();
    let expected = format!("serving http://{address}, push with: docker push {address}/<repository>:<tag>");
    wait::until("it is told", async || sandbox.logs().with_message(&expected).len() == 1).await;
}

#[tokio::test]
async fn a_port_of_the_systems_choice_is_told() {
    let mut sandbox = Sandbox::builder().prepare();
    sandbox.set("/http/port", "0");
    sandbox.spawn();
    let line = "port is unspecified, listening on kernel chosen port";
    wait::until("the port is told", async || !sandbox.logs().with_message(line).is_empty()).await;
    let port = sandbox.logs().with_message(line)[0]["port"].as_u64().unwrap();
    zot_tests::Client::new(&format!("http://127.0.0.1:{port}")).get("/v2/").await.expect(200);
}

#[tokio::test]
async fn a_second_process_on_the_same_root_is_refused_and_the_first_goes_on() {
    let first = Sandbox::start().await;
    let mut second = Sandbox::builder().root(first.root()).prepare();
    second.tolerate_errors("could not serve");
    second.spawn();
    assert_eq!(second.ended().await.code(), Some(1));
    let logs = second.logs();
    assert!(logs.text().contains(first.root().to_str().unwrap()), "{logs}");
    assert!(logs.text().contains("another process"), "{logs}");
    first.client().push_image("a", "latest", &Image::small(1)).await;
    // Neither may the rebuild that would pull the metadata from under it.
    let rebuild = sandbox::run(&["rebuild", first.config_file().to_str().unwrap()]);
    assert_eq!(rebuild.code, Some(1), "{rebuild:?}");
    first.client().get_manifest("a", "latest").await.expect(200);
}

#[tokio::test]
async fn of_many_that_start_at_once_on_a_new_root_exactly_one_serves() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("root");
    let mut all: Vec<Sandbox> = (0..6).map(|_| Sandbox::builder().root(&root).tolerate_errors("could not serve").prepare()).collect();
    all.iter_mut().for_each(Sandbox::spawn);
    let mut serving = 0;
    for sandbox in &mut all {
        let client = sandbox.client();
        let mut is_ready = false;
        wait::until("it serves or has given up", async || {
            is_ready = client.get("/readyz").try_send().await.is_ok();
            is_ready || sandbox.logs().text().contains("could not serve")
        })
        .await;
        if is_ready {
            serving += 1;
            client.push_image("a", "latest", &Image::small(1)).await;
        }
    }
    assert_eq!(serving, 1);
}

#[tokio::test]
async fn the_lock_of_a_killed_process_is_free() {
    let mut sandbox = Sandbox::start().await;
    for _ in 0..3 {
        sandbox.kill9();
        sandbox.restart().await;
    }
    sandbox.client().push_image("a", "latest", &Image::small(1)).await;
}

#[tokio::test]
async fn a_taken_port_is_a_clear_failure() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut sandbox = Sandbox::builder().tolerate_errors("could not serve").prepare();
    sandbox.set("/http/port", taken.local_addr().unwrap().port().to_string());
    sandbox.spawn();
    assert_eq!(sandbox.ended().await.code(), Some(1));
    assert!(sandbox.logs().text().contains(&taken.local_addr().unwrap().to_string()), "{}", sandbox.logs());
}

#[tokio::test]
async fn a_root_that_cannot_be_used_is_a_clear_failure() {
    let mut sandbox = Sandbox::builder().tolerate_errors("could not serve").prepare();
    fs::write(sandbox.root(), "a file, no directory").unwrap();
    sandbox.spawn();
    assert_eq!(sandbox.ended().await.code(), Some(1));
    assert!(sandbox.logs().text().contains(sandbox.root().to_str().unwrap()), "{}", sandbox.logs());
}
