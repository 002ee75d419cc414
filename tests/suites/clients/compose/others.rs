//! Clients besides crane: what one pushed through the load balancer, the next one has.

use std::fs;

use zot_tests::content;

use super::engine::Engine;
use crate::program::Program;

const SBOM: &str = "application/vnd.example.sbom";

/// Skopeo copies an image of the cluster, and docker one of those that skopeo made.
pub(super) async fn copy_on(engine: &Engine, skopeo: &Program, image: &str) {
    let [from, to] = [image, "copied:v1"].map(|image| format!("docker://localhost:8080/{image}"));
    let options = "--insecure-policy copy -q --src-tls-verify=false --dest-tls-verify=false";
    engine.inside(&format!("{} {options} {from} {to}", skopeo.path().display())).await.expect("skopeo copies");
    engine.run("pull -q localhost:8080/copied:v1").await;
    engine.run("tag localhost:8080/copied:v1 localhost:8080/by/docker:v1").await;
    engine.run("push -q localhost:8080/by/docker:v1").await;
}

/// An artifact that oras pushed, and what it attached to it.
pub(super) struct Artifact {
    oras: Program,
}

impl Artifact {
    pub(super) async fn push(engine: &Engine, oras: Program) -> Self {
        fs::write(oras.home().join("file.bin"), content::bytes(1, 100_000)).expect("a file");
        fs::write(oras.home().join("sbom.json"), r#"{"packages":[]}"#).expect("a file");
        let artifact = Self { oras };
        artifact.oras(engine, "push", "--artifact-type application/vnd.example localhost:8080/by/oras:v1 file.bin").await;
        artifact.oras(engine, "attach", &format!("--artifact-type {SBOM} localhost:8080/by/oras:v1 sbom.json")).await;
        artifact
    }

    /// Pulls it with what is attached to it, and fails the test unless both are as they were.
    pub(super) async fn assert_is_there(&self, engine: &Engine) {
        let found = self.oras(engine, "discover", &format!("--format json --artifact-type {SBOM} localhost:8080/by/oras:v1")).await;
        let attached = found.split('"').find(|text| text.starts_with("sha256:")).expect("a digest");
        self.oras(engine, "pull", "-o pulled localhost:8080/by/oras:v1").await;
        self.oras(engine, "pull", &format!("-o pulled localhost:8080/by/oras@{attached}")).await;
        let pulled = self.oras.home().join("pulled");
        for file in ["file.bin", "sbom.json"] {
            let [pushed, pulled] = [self.oras.home(), &pulled].map(|directory| fs::read(directory.join(file)).expect("a file"));
            assert!(pushed == pulled, "{file}");
        }
        fs::remove_dir_all(pulled).expect("a directory");
    }

    async fn oras(&self, engine: &Engine, command: &str, arguments: &str) -> String {
        let (home, program) = (self.oras.home().display(), self.oras.path().display());
        let said = engine.inside(&format!("env -C {home} HOME={home} {program} {command} --plain-http {arguments}")).await;
        said.unwrap_or_else(|said| panic!("oras {command} {arguments}: {said}"))
    }
}
