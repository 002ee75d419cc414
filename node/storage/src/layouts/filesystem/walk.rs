//! Finding image layouts below a root directory, among whatever else lies there.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use zot_oci::RepositoryName;

use crate::{
    Error, Result,
    layout::{INDEX_FILE, OCI_LAYOUT_FILE},
};

/// Every directory below `root` that is an image layout and whose path is a repository's name.
///
/// Directories that no repository can have are not looked into: those of ours and of other tools, and the file system's `lost+found`, which is
/// root's. One that could be a repository and cannot be read is an error: it would be missed for good, and its index written over one day.
pub(super) fn repositories(root: &Path) -> Result<Vec<RepositoryName>> {
    let mut found = Vec::new();
    walk(root, "", &mut found)?;
    Ok(found)
}

fn walk(directory: &Path, name: &str, found: &mut Vec<RepositoryName>) -> Result<()> {
    let entries = entries(directory)?;
    if is_file(&directory.join(INDEX_FILE))? && is_file(&directory.join(OCI_LAYOUT_FILE))? {
        found.extend(name.parse::<RepositoryName>());
    }
    for (path, _) in entries.into_iter().filter(|(_, kind)| kind.is_dir()) {
        let component = path.file_name().and_then(|component| component.to_str());
        if let Some(component) = component.filter(|component| component.parse::<RepositoryName>().is_ok()) {
            let name = if name.is_empty() { component.to_owned() } else { format!("{name}/{component}") };
            walk(&path, &name, found)?;
        }
    }
    Ok(())
}

fn is_file(path: &Path) -> Result<bool> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.is_file()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::file("look for", path)(error)),
    }
}

/// The entries of a directory, none if it is not there.
pub(super) fn entries(path: &Path) -> Result<Vec<(PathBuf, fs::FileType)>> {
    let listed = match fs::read_dir(path) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file("list", path)(error)),
    };
    let entry = |entry: io::Result<fs::DirEntry>| {
        let entry = entry?;
        Ok((entry.path(), entry.file_type()?))
    };
    listed.map(entry).collect::<io::Result<_>>().map_err(Error::file("list", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_with_names_of_repositories_are_looked_into() {
        let root = tempfile::tempdir().unwrap();
        for path in ["a", "a/b", "Upper", "lost+found", "_trivy", ".sync/a", "a/.uploads", "index.json"] {
            let directory = root.path().join(path);
            fs::create_dir_all(&directory).unwrap();
            for file in ["index.json", "oci-layout"] {
                fs::write(directory.join(file), "{}").unwrap();
            }
        }
        let mut found = repositories(root.path()).unwrap();
        found.sort();
        assert_eq!(found.iter().map(RepositoryName::as_str).collect::<Vec<_>>(), ["a", "a/b"]);
    }
}
