//! Clients that get their tokens from a token service, in both shapes: who may push pushes, who may pull pulls, and nobody else does anything.

use std::sync::LazyLock;

use serde_json::{Value, json};
use zot_services::token_service::{READER, TokenService, WRITER};
use zot_tests::{
    in_both_shapes,
    shapes::{Registry, Settings},
};

use crate::{
    buildah::{self, Buildah},
    docker::Engine,
    layout::Layout,
    program::Program,
};

static SERVICE: LazyLock<TokenService> = LazyLock::new(TokenService::start);

fn guarded(settings: Settings) -> Settings {
    settings.set("/http/auth/bearer", SERVICE.section()).set("/http/compat", json!(["docker2s2"]))
}

fn user((name, password): (&str, &str)) -> String {
    format!("{name}:{password}")
}

async fn with_skopeo(registry: Registry) {
    let Some(skopeo) = Program::find("skopeo") else { return };
    let layout = Layout::with_image(skopeo.home().join("source"), "v1");
    let (writer, reader) = (user(WRITER), user(READER));
    let remote = format!("docker://{}/team/app:v1", registry.address());
    let push = |to: &str, who: &str| {
        format!("--insecure-policy copy -q --preserve-digests --dest-tls-verify=false {who} oci:{}:v1 {to}", layout.path().display())
    };
    skopeo.run(&push(&remote, &format!("--dest-creds {writer}"))).await;
    let back = skopeo.home().join("back");
    skopeo.run(&format!("--insecure-policy copy -q --src-tls-verify=false --src-creds {reader} {remote} oci:{}:v1", back.display())).await;
    layout.assert_copied_to(&back);
    let listed = skopeo.run(&format!("list-tags --tls-verify=false --creds {reader} docker://{}/team/app", registry.address())).await;
    assert_eq!(serde_json::from_str::<Value>(&listed).expect("tags")["Tags"], json!(["v1"]));
    for who in [format!("--dest-creds {reader}"), "--dest-no-creds".to_owned(), "--dest-creds alice:wrong".to_owned()] {
        let told = skopeo.refused(&push(&remote.replace(":v1", ":v2"), &who)).await;
        assert!(told.to_lowercase().contains("auth") || told.contains("denied"), "{who}: {told}");
    }
    skopeo.refused(&push(&remote.replace("team", "other"), &format!("--dest-creds {writer}"))).await;
    skopeo.refused(&format!("delete --tls-verify=false --creds {reader} {remote}")).await;
    skopeo.run(&format!("delete --tls-verify=false --creds {writer} {remote}")).await;
}

async fn with_oras(registry: Registry) {
    let Some(oras) = Program::find("oras") else { return };
    std::fs::write(oras.home().join("file"), "told by a token").expect("a file");
    let at = format!("{}/team/files:v1", registry.address());
    let (name, password) = WRITER;
    oras.run(&format!("push --plain-http -u {name} -p {password} {at} file:text/plain")).await;
    let (name, password) = READER;
    oras.run(&format!("pull --plain-http -u {name} -p {password} -o pulled {at}")).await;
    assert_eq!(std::fs::read_to_string(oras.home().join("pulled/file")).expect("the file"), "told by a token");
    oras.refused(&format!("push --plain-http -u {name} -p {password} {at} file:text/plain")).await;
    oras.refused(&format!("pull --plain-http -o again {at}")).await;
}

async fn with_crane(registry: Registry) {
    let Some(crane) = Program::find("crane") else { return };
    let layout = Layout::with_image(crane.home().join("source"), "v1");
    let at = format!("{}/team/crane:v1", registry.address());
    let (name, password) = WRITER;
    crane.refused(&format!("push --insecure {} {at}", layout.path().display())).await;
    crane.run(&format!("auth login --insecure {} -u {name} -p {password}", registry.address())).await;
    crane.run(&format!("push --insecure {} {at}", layout.path().display())).await;
    assert_eq!(crane.run(&format!("digest --insecure {at}")).await.trim(), layout.digest("v1"));
    let listed = crane.run(&format!("catalog --insecure {}", registry.address())).await;
    assert!(listed.lines().any(|line| line == "team/crane"), "{listed}");
}

async fn with_docker(registry: Registry) {
    let Some(engine) = Engine::start().await else { return };
    let (address, image) = (registry.address(), format!("{}/team/docker:v1", registry.address()));
    let made = engine.make(&image).await;
    engine.refused(&format!("push {image}")).await;
    engine.refused(&format!("login -u alice -p wrong {address}")).await;
    for ((name, password), may) in [(READER, false), (WRITER, true)] {
        engine.run(&format!("login -u {name} -p {password} {address}")).await;
        let push = format!("push {image}");
        if may {
            engine.run(&push).await
        } else {
            engine.refused(&push).await
        };
    }
    let elsewhere = format!("{address}/other/docker:v1");
    engine.run(&format!("tag {image} {elsewhere}")).await;
    engine.refused(&format!("push {elsewhere}")).await;
    engine.run(&format!("rmi {image} {elsewhere}")).await;
    let (name, password) = READER;
    engine.run(&format!("login -u {name} -p {password} {address}")).await;
    engine.run(&format!("pull {image}")).await;
    assert_eq!(engine.id(&image).await, made);
    engine.run(&format!("logout {address}")).await;
    engine.refused(&format!("pull {image}")).await;
}

async fn with_store(registry: Registry, client: Option<Buildah>) {
    let Some(client) = client else { return };
    let (address, remote, built) = (registry.address(), format!("{}/team/built:v1", registry.address()), client.id("built").await);
    let login = |(name, password): (&str, &str)| format!("login --tls-verify=false -u {name} -p {password} {address}");
    let push = format!("push -q --tls-verify=false --format oci built docker://{remote}");
    client.refused(&push).await;
    client.refused(&login(("alice", "wrong"))).await;
    client.run(&login(READER)).await;
    client.refused(&push).await;
    client.run(&login(WRITER)).await;
    client.run(&push).await;
    client.run(&login(READER)).await;
    client.run(&format!("pull -q --tls-verify=false docker://{remote}")).await;
    assert_eq!(client.id(&remote).await, built);
    client.run(&format!("logout {address}")).await;
    // What is here already would not be asked for.
    client.run("rmi -a -f").await;
    client.refused(&format!("pull -q --tls-verify=false docker://{remote}")).await;
}

in_both_shapes!(docker_pushes_and_pulls_with_tokens, guarded, with_docker);
in_both_shapes!(buildah_pushes_and_pulls_with_tokens, guarded, |registry| async move {
    with_store(registry, buildah::buildah().await).await;
});
in_both_shapes!(podman_pushes_and_pulls_with_tokens, guarded, |registry| async move {
    with_store(registry, buildah::podman().await).await;
});
in_both_shapes!(skopeo_pushes_and_pulls_with_tokens, guarded, with_skopeo);
in_both_shapes!(oras_pushes_and_pulls_with_tokens, guarded, with_oras);
in_both_shapes!(crane_logs_in_with_tokens, guarded, with_crane);
