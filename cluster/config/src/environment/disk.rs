//! What may be done with files and directories, found without doing it.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::key_path::KeyPath;
use crate::report::Report;

/// Reports a file that cannot be opened for reading.
pub(super) fn check_readable(file: &Path, path: &KeyPath, report: &Report) {
    if let Err(error) = readable(file) {
        report.problem(path, format!("file `{}` cannot be read: {}", file.display(), reason(&error)));
    }
}

fn readable(file: &Path) -> io::Result<()> {
    // A pipe would be waited for when opened.
    if !fs::metadata(file)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    File::open(file).map(drop)
}

/// Reports a directory that is not writable, or that could not be created.
pub(super) fn check_writable_directory(directory: &Path, path: &KeyPath, report: &Report) {
    let existing = directory.ancestors().find_map(|ancestor| status(ancestor).map(|status| (ancestor, status)));
    let Some((existing, status)) = existing else { return };
    if let Err(error) = status.and_then(|status| enterable(existing, &status)) {
        let act = if existing == directory { "written" } else { "created" };
        let place = if existing == directory { String::new() } else { format!("`{}`: ", existing.display()) };
        let message = format!("directory `{}` cannot be {act}: {place}{}", directory.display(), reason(&error));
        report.problem(path, message);
    }
}

/// What is known of an ancestor, or `None` if it does not exist and the next one has to be asked.
fn status(ancestor: &Path) -> Option<io::Result<Metadata>> {
    let ancestor = if ancestor.as_os_str().is_empty() { Path::new(".") } else { ancestor };
    match fs::metadata(ancestor) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => None,
        known => Some(known),
    }
}

fn enterable(directory: &Path, status: &Metadata) -> io::Result<()> {
    if !status.is_dir() {
        return Err(io::Error::from(ErrorKind::NotADirectory));
    }
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    permitted(directory, Access::WRITE_OK | Access::EXEC_OK)
}

/// Reports a file that could not be opened for appending, or created.
pub(super) fn check_appendable(file: &Path, path: &KeyPath, report: &Report) {
    if let Err(error) = appendable(file) {
        report.problem(path, format!("file `{}` cannot be written: {}", file.display(), reason(&error)));
    }
}

fn appendable(file: &Path) -> io::Result<()> {
    match fs::metadata(file) {
        Ok(status) if status.is_dir() => Err(io::Error::from(ErrorKind::IsADirectory)),
        Ok(_) => permitted(file, Access::WRITE_OK),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            enterable(parent, &fs::metadata(parent)?)
        }
        Err(error) => Err(error),
    }
}

fn permitted(path: &Path, access: Access) -> io::Result<()> {
    accessat(CWD, path, access, AtFlags::EACCESS).map_err(io::Error::from)
}

/// The reason without the number the system gives it.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file or directory".to_owned(),
        ErrorKind::Other => error.to_string(),
        kind => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(check: impl Fn(&Path, &KeyPath, &Report), file: &Path) -> Vec<String> {
        let report = Report::default();
        check(file, &KeyPath::of("key"), &report);
        report.into_parts().0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_missing_file_and_a_directory_cannot_be_read() {
        let room = tempfile::tempdir().unwrap();
        let missing = room.path().join("missing");
        let said = problems(check_readable, &missing);
        assert_eq!(said, [format!("key: file `{}` cannot be read: no such file or directory", missing.display())]);
        assert!(problems(check_readable, room.path())[0].ends_with("not a regular file"));
        fs::write(&missing, "x").unwrap();
        assert!(problems(check_readable, &missing).is_empty());
    }

    #[test]
    fn a_directory_that_can_be_made_is_not_made() {
        let room = tempfile::tempdir().unwrap();
        let deep = room.path().join("a/b/c");
        assert!(problems(check_writable_directory, &deep).is_empty());
        assert!(problems(check_appendable, &room.path().join("log")).is_empty());
        assert_eq!(fs::read_dir(room.path()).unwrap().count(), 0);
    }

    #[test]
    fn below_a_file_nothing_can_be_made() {
        let room = tempfile::tempdir().unwrap();
        let file = room.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(problems(check_writable_directory, &file)[0].ends_with("not a directory"));
        assert!(problems(check_writable_directory, &file.join("a"))[0].contains("cannot be created"));
        assert!(problems(check_appendable, &room.path().join("missing/log"))[0].contains("no such file or directory"));
        assert!(problems(check_appendable, room.path())[0].ends_with("is a directory"));
    }
}
