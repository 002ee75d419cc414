//! Every example that is shipped can be used as it is.

use std::path::{Path, PathBuf};

use zot_config::Config;

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_example = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("config-");
    let mut examples: Vec<PathBuf> = entries.filter(is_example).collect();
    examples.sort();
    examples
}

#[test]
fn every_example_loads_without_a_problem_or_a_warning() {
    let examples = examples();
    assert!(examples.len() >= 11, "{examples:?}");
    for example in examples {
        let loaded = Config::load(&example).unwrap_or_else(|error| panic!("{error}"));
        let garbage_collection = |path: &str| path.ends_with("gc");
        let surprises: Vec<_> = loaded.warnings.iter().filter(|warning| !garbage_collection(warning.path.as_str())).collect();
        assert!(surprises.is_empty(), "{}: {surprises:?}", example.display());
    }
}

#[test]
fn every_example_is_listed_in_the_readme() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/README.md")).unwrap();
    for example in examples() {
        let name = example.file_name().unwrap().to_string_lossy().into_owned();
        assert!(readme.contains(&format!("[{name}]({name})")), "{name}");
    }
}

#[test]
fn the_same_example_in_json_and_yaml_says_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let [json, yaml] = ["config-example.json", "config-example.yaml"].map(|name| Config::load(&folder.join(name)).unwrap());
    assert_eq!(json, yaml);
}
