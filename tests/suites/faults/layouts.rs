//! The files below a root directory, as other tools see them: image layouts, and what uploads left behind.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value as Json;
use zot_tests::{digest_of, wait};

use crate::model::Model;

/// The files of uploads that no session speaks of. A registry that has just started has none.
pub(crate) fn leftovers(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root.join("_uploads")).expect("the directory of uploads");
    let names: BTreeSet<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a readable name")).collect();
    let orphan = |name: &&String| match name.strip_suffix(".session") {
        Some(_) => false,
        None => !names.contains(&format!("{name}.session")),
    };
    names.iter().filter(orphan).cloned().collect()
}

/// Everything that every image layout below `root` shows, which must be whole: (repository, tag or nothing, digest).
pub(crate) fn shown(root: &Path, repository: &str) -> BTreeSet<(Option<String>, String)> {
    let directory = root.join(repository);
    let Ok(index) = fs::read(directory.join("index.json")) else { return BTreeSet::new() };
    let index: Json = serde_json::from_slice(&index).expect("an index is JSON");
    let manifests = index["manifests"].as_array().expect("a list of manifests").clone();
    let entry = |manifest: &Json| {
        let tag = manifest["annotations"]["org.opencontainers.image.ref.name"].as_str().map(str::to_owned);
        (tag, manifest["digest"].as_str().expect("a digest").to_owned())
    };
    manifests.iter().map(entry).collect()
}

/// Fails the test unless the layouts show what the model has, and every file in them is what its name says.
pub(crate) fn check(model: &Model, root: &Path) -> usize {
    let mut files = 0;
    for repository in model.repositories() {
        let expected = expected(model, &repository);
        assert_eq!(shown(root, &repository), expected, "the image layout of {repository}");
        for (_, digest) in expected {
            files += manifest(&root.join(&repository), &digest);
        }
    }
    files
}

/// Waits until the layouts show what the model has, then checks them.
pub(crate) async fn catch_up(model: &Model, root: &Path) -> usize {
    let current = async || model.repositories().iter().all(|repository| shown(root, repository) == expected(model, repository));
    wait::until("the image layouts have caught up", current).await;
    check(model, root)
}

/// What the layout of a repository has to show: every tag, and every manifest without one.
fn expected(model: &Model, repository: &str) -> BTreeSet<(Option<String>, String)> {
    let tags = model.tags(repository);
    let tagged: BTreeSet<&String> = tags.values().collect();
    let untagged = model.manifests(repository).into_iter().filter(|digest| !tagged.contains(digest)).map(|digest| (None, digest));
    tags.iter().map(|(tag, digest)| (Some(tag.clone()), digest.clone())).chain(untagged).collect()
}

/// Reads a manifest of a layout and the blobs that it needs.
fn manifest(layout: &Path, digest: &str) -> usize {
    let manifest: Json = serde_json::from_slice(&blob(layout, digest)).expect("a manifest is JSON");
    let layers = manifest["layers"].as_array().into_iter().flatten();
    let needed = layers.chain(manifest.get("config")).map(|blob| blob["digest"].as_str().expect("a digest"));
    needed.fold(1, |files, digest| {
        blob(layout, digest);
        files + 1
    })
}

fn blob(layout: &Path, digest: &str) -> Vec<u8> {
    let path = layout.join("blobs").join(digest.replace(':', "/"));
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(digest_of(&bytes), digest, "{} holds something else", path.display());
    bytes
}
