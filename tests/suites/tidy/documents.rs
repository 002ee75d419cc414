//! That documents speak of what is there.

use std::{collections::BTreeSet, fs};

use super::{assert_nothing, files, root, sources, texts};

#[test]
fn the_documents_a_newcomer_looks_for_are_there() {
    let wrong: Vec<String> = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE", "examples/README.md"]
        .into_iter()
        .filter(|name| !root().join(name).is_file())
        .map(str::to_owned)
        .collect();
    assert_nothing("missing documents", &wrong);
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut wrong = Vec::new();
    for (path, text) in texts().into_iter().filter(|(path, _)| path.ends_with(".md")) {
        let base = root().join(&path);
        for target in links(&text).filter(|target| !target.contains("://") && !target.starts_with(['#', '<'])) {
            let file = target.split('#').next().unwrap_or_default();
            if !base.parent().unwrap().join(file).exists() {
                wrong.push(format!("{path}: {target}"));
            }
        }
    }
    assert_nothing("links to nowhere", &wrong);
}

/// The targets of `[text](target)`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next())
}

#[test]
fn every_example_is_listed_and_every_listed_one_is_there() {
    let directory = root().join("examples");
    let listed = fs::read_to_string(directory.join("README.md")).unwrap();
    let is_example = |path: &&str| path.rsplit('/').next().is_some_and(|name| name.starts_with("config-") || name == "haproxy.cfg");
    let listed: BTreeSet<&str> = links(&listed).filter(is_example).collect();
    let files = files(&directory);
    let there = files.iter().map(|path| path.strip_prefix(&directory).unwrap().to_str().unwrap());
    assert_eq!(there.filter(is_example).collect::<BTreeSet<_>>(), listed);
}

#[test]
fn sources_that_documents_name_exist() {
    let sources = sources();
    let is_there = |name: &str| sources.iter().any(|(path, _)| path == name || path.ends_with(&format!("/{name}")));
    let mut wrong = Vec::new();
    for document in ["README.md", "ARCHITECTURE.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let quoted = text.split('`').skip(1).step_by(2);
        let is_source = |name: &&str| name.contains('/') && name.ends_with(".rs") && !name.contains(['*', '{', '<', ' ']);
        wrong.extend(quoted.filter(is_source).filter(|name| !is_there(name)).map(|name| format!("{document}: {name}")));
    }
    assert_nothing("sources that are not there", &wrong);
}
