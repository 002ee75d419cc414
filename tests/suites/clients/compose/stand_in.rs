//! Images under the names of public ones, which cannot be had without a network: the same programs, as this machine has them.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use super::engine::Engine;
use crate::program::{Program, build_directory, built, locate};

/// Makes every image that `compose.yaml` and the Dockerfile take from a registry, and then ours from the Dockerfile.
/// Gives nothing after saying what is not here.
pub(super) async fn make_images(engine: &Engine, scratch: &Path) -> Option<()> {
    for image in [load_balancer(scratch)?, redis(scratch)?, s3(scratch)?, dynamodb(scratch)?, debian(scratch)?] {
        image.make(engine).await;
    }
    let programs = scratch.join("programs");
    fs::create_dir(&programs).expect("a directory");
    for program in OURS {
        fs::copy(built(program), programs.join(program)).expect("the program is built");
    }
    let dockerfile = super::deploy().join("Dockerfile");
    engine.build("localhost/zot", &dockerfile, "--target prebuilt", &programs).await;
    Some(())
}

const OURS: [&str; 3] = ["zot", "zot-gateway", "zot-node"];

fn load_balancer(scratch: &Path) -> Option<Image> {
    let image = Image::of(scratch, "haproxy:3.0").with_programs(&["haproxy", "bash"])?;
    Some(image.says(r#"CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]"#).says("USER 99"))
}

fn redis(scratch: &Path) -> Option<Image> {
    Image::of(scratch, "redis:7-bookworm").with_programs(&["redis-server", "redis-cli"])
}

fn s3(scratch: &Path) -> Option<Image> {
    let image = Image::of(scratch, "chrislusf/seaweedfs:4.48").with_programs(&["wget"])?;
    image.add(&installed("py/bin/weed")?, "usr/bin/weed");
    Some(image.says(r#"ENTRYPOINT ["weed"]"#))
}

fn dynamodb(scratch: &Path) -> Option<Image> {
    let image = Image::of(scratch, "amazon/dynamodb-local:1.25.1").with_programs(&["curl"])?;
    let java = fs::canonicalize(Program::find("java")?.path()).expect("java is there");
    let runtime = java.ancestors().nth(2).expect("the directory of the runtime");
    for part in ["bin/java", "lib", "conf"] {
        image.add(&runtime.join(part), &format!("runtime/{part}"));
    }
    image.add(&installed("dynamodb/package/emulator")?, "home/dynamodblocal");
    Some(image.says("WORKDIR /home/dynamodblocal").says(r#"ENTRYPOINT ["/runtime/bin/java"]"#))
}

/// The base of our own image. What its package manager would bring is in it already, so there is nothing to do for that.
fn debian(scratch: &Path) -> Option<Image> {
    let image = Image::of(scratch, "debian:bookworm-slim").with_programs(&["sh", "rm", "install", "sleep", "true"])?;
    image.add(Path::new("/etc/ssl/certs/ca-certificates.crt"), "etc/ssl/certs/ca-certificates.crt");
    symlink("true", image.tree.join("usr/bin/apt-get")).expect("a link");
    image.add_libraries(&OURS.map(built));
    Some(image)
}

/// What `tests/install/services.sh` brought, or nothing after saying that it did not.
fn installed(name: &str) -> Option<PathBuf> {
    let path = build_directory().join("services").join(name);
    let found = path.exists();
    if !found {
        zot_tests::skip::skip(&crate::program::this_test("compose"), &format!("{} is not installed", path.display()));
    }
    found.then_some(path)
}

/// An image that is being put together.
struct Image {
    name: &'static str,
    dockerfile: String,
    tree: PathBuf,
}

impl Image {
    fn of(scratch: &Path, name: &'static str) -> Self {
        let tree = scratch.join(name.replace(['/', ':'], "-"));
        fs::create_dir_all(tree.join("usr/bin")).expect("a directory");
        fs::create_dir(tree.join("tmp")).expect("a directory");
        symlink("usr/bin", tree.join("bin")).expect("a link");
        fs::create_dir(tree.join("etc")).expect("a directory");
        fs::write(tree.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").expect("a file");
        Self { name, dockerfile: "FROM scratch\nCOPY . /\n".to_owned(), tree }
    }

    /// Adds programs with all that they are linked with, or gives nothing after saying which is not installed.
    fn with_programs(self, names: &[&str]) -> Option<Self> {
        for name in names {
            let program = Program::find(name)?;
            self.add(program.path(), &format!("usr/bin/{name}"));
        }
        Some(self)
    }

    /// Adds an instruction.
    fn says(mut self, instruction: &str) -> Self {
        self.dockerfile.extend([instruction, "\n"]);
        self
    }

    /// Adds a file or directory with all that what is in it is linked with.
    fn add(&self, from: &Path, to: &str) {
        let mut linked = Vec::new();
        copy(from, &self.tree.join(to), &mut linked);
        self.add_libraries(&linked);
    }

    fn add_libraries(&self, linked: &[PathBuf]) {
        let Some(ldd) = locate("ldd") else { return };
        // It fails for files that are not linked with anything, of which it still tells the others'.
        let output = Command::new(ldd).args(linked).output().expect("ldd runs");
        for library in
            String::from_utf8_lossy(&output.stdout).split_whitespace().filter(|word| word.starts_with("/lib") && !word.ends_with(':'))
        {
            let to = self.tree.join(library.trim_start_matches('/'));
            if !to.exists() {
                copy(Path::new(library), &to, &mut Vec::new());
            }
        }
    }

    async fn make(self, engine: &Engine) {
        let dockerfile = self.tree.with_extension("Dockerfile");
        fs::write(&dockerfile, &self.dockerfile).expect("a Dockerfile");
        engine.build(self.name, &dockerfile, "", &self.tree).await;
    }
}

/// Copies what is there, through links, and notes what may be linked with libraries.
fn copy(from: &Path, to: &Path, linked: &mut Vec<PathBuf>) {
    if from.is_dir() {
        for entry in fs::read_dir(from).expect("a directory").map(|entry| entry.expect("an entry")) {
            copy(&entry.path(), &to.join(entry.file_name()), linked);
        }
    } else if from.is_file() {
        fs::create_dir_all(to.parent().expect("a parent")).expect("a directory");
        fs::copy(from, to).expect("a copy");
        linked.push(from.to_owned());
    }
}
