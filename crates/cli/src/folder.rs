//! A folder of generated files: what it holds, what it should hold, and the way from one to the other.
//!
//! Its list names the files that were written here. Only those are ever replaced or removed, so that whatever
//! else stands in the folder is safe.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use commit::reason;
use sha2::{Digest as _, Sha256};

use crate::exit::{Exit, Failure};

/// The list's name; it is committed with the rest.
pub(crate) const LIST: &str = ".kasm-db-render";

const HEADING: &str = "# The files of this folder that `kasm-db render` wrote. Others it leaves alone.";

/// Stands in front of the digest of all files together.
const SEAL: &str = "# sha256:";

/// Larger files were not written here.
const LIMIT: u64 = 16 << 20;

/// Files by their path below the folder, with `/` between its parts.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// A folder, and which files in it are ours.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    ours: BTreeSet<String>,
    seal: Option<String>,
}

/// A file that is not as it should be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) path: String,
    /// What is there; none for a file that is missing.
    pub(crate) before: Option<Vec<u8>>,
    /// What should be there; none for a file that was written for something that has gone.
    pub(crate) after: Option<Vec<u8>>,
}

impl Folder {
    /// Looks at a folder; one that is not there is empty.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let mut folder = Self { path: path.to_path_buf(), ours: BTreeSet::new(), seal: None };
        let list = folder.read(LIST)?.unwrap_or_default();
        let list = String::from_utf8_lossy(&list).into_owned();
        folder.seal = list.lines().find_map(|line| line.strip_prefix(SEAL)).map(String::from);
        let lines = list.lines().filter(|line| !line.starts_with('#') && is_below(line));
        folder.ours = lines.map(String::from).collect();
        Ok(folder)
    }

    /// Compares what is there with what should be there, the list itself included.
    pub(crate) fn compare(&self, wanted: &Files) -> Result<Vec<Difference>, Failure> {
        let wanted = with_list(wanted);
        let mut differences = Vec::new();
        for path in self.ours.iter().chain(wanted.keys()).collect::<BTreeSet<_>>() {
            let (before, after) = (self.read(path)?, wanted.get(path).cloned());
            if before != after {
                differences.push(Difference { path: path.clone(), before, after });
            }
        }
        Ok(differences)
    }

    /// Tells whether the folder was written with exactly these files, whatever happened to them since.
    pub(crate) fn was_written_with(&self, files: &Files) -> bool {
        self.seal.as_deref().is_some_and(|known| known == seal(files))
    }

    /// Makes the folder as it should be: each file wholly or not at all, and those that are right untouched.
    ///
    /// Before the first write it makes sure that no file of somebody else stands where one is needed.
    pub(crate) fn write(&self, wanted: &Files, differences: &[Difference]) -> Result<(), Failure> {
        for difference in differences.iter().filter(|d| d.after.is_some() && d.path != LIST) {
            if difference.before.is_some() && !self.ours.contains(&difference.path) {
                let path = self.path.join(&difference.path);
                return Err(Failure::new(
                    Exit::Error,
                    format!("{} is there already, and render did not write it", path.display()),
                )
                .help("move it away, or name another folder with `--out DIR`"));
            }
        }
        if differences.is_empty() {
            return Ok(());
        }
        // First the list of both: a run that ends half-way must know its own files again.
        let both: BTreeSet<_> = self.ours.iter().chain(wanted.keys()).collect();
        self.put(LIST, &list(both, None))?;
        for difference in differences.iter().filter(|difference| difference.path != LIST) {
            match &difference.after {
                Some(bytes) => self.put(&difference.path, bytes)?,
                None => self.remove(&difference.path)?,
            }
        }
        self.put(LIST, &list(wanted.keys().collect(), Some(&seal(wanted))))
    }

    /// Reads a file, if it is there. Links are not followed: they could lead anywhere.
    pub(crate) fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        let mut at = self.path.clone();
        let parts: Vec<_> = path.split('/').collect();
        for (index, part) in parts.iter().enumerate() {
            at.push(part);
            let metadata = match std::fs::symlink_metadata(&at) {
                Ok(metadata) => metadata,
                Err(error) if is_missing(&error) => return Ok(None),
                Err(error) => return Err(failed(&at, &error)),
            };
            let is_last = index + 1 == parts.len();
            if (is_last && !metadata.is_file()) || (!is_last && !metadata.is_dir()) {
                let what = if is_last { "file" } else { "folder" };
                return Err(Failure::new(Exit::Error, format!("{}: not a {what}", at.display()))
                    .help("move it away, or name another folder with `--out DIR`"));
            }
            if metadata.len() > LIMIT && is_last {
                return Err(Failure::new(Exit::Error, format!("{}: larger than 16 MiB", at.display())));
            }
        }
        std::fs::read(&at).map(Some).map_err(|error| failed(&at, &error))
    }

    /// Writes a file beside its place and renames it.
    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        let at = self.path.join(path);
        let folder = at.parent().unwrap_or(&self.path);
        std::fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
        let staged = folder.join(format!("{LIST}.{}.new", std::process::id()));
        let write = || -> std::io::Result<()> {
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&staged)?;
            file.write_all(bytes)?;
            std::fs::rename(&staged, &at)
        };
        write().map_err(|error| {
            // It may not even have come to be.
            let _ = std::fs::remove_file(&staged);
            failed(&at, &error)
        })
    }

    /// Removes a file, and the folders that are empty then.
    fn remove(&self, path: &str) -> Result<(), Failure> {
        let at = self.path.join(path);
        match std::fs::remove_file(&at) {
            Err(error) if !is_missing(&error) => return Err(failed(&at, &error)),
            _ => {}
        }
        let mut above = Path::new(path).parent();
        while let Some(folder) = above.filter(|folder| !folder.as_os_str().is_empty()) {
            // One that is not empty stays, and so do those above it.
            if std::fs::remove_dir(self.path.join(folder)).is_err() {
                break;
            }
            above = folder.parent();
        }
        Ok(())
    }
}

fn with_list(wanted: &Files) -> Files {
    let mut all = wanted.clone();
    all.insert(LIST.to_string(), list(wanted.keys().collect(), Some(&seal(wanted))));
    all
}

/// Gives the SHA-256 of all files together, with their paths and lengths, so that nothing can move between them.
fn seal(files: &Files) -> String {
    let mut hasher = Sha256::new();
    for (path, bytes) in files {
        hasher.update(format!("{} {} {path}\n", path.len(), bytes.len()));
        hasher.update(bytes);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn list(paths: BTreeSet<&String>, seal: Option<&str>) -> Vec<u8> {
    let mut text = format!("{HEADING}\n");
    if let Some(seal) = seal {
        text.push_str(&format!("{SEAL}{seal}\n"));
    }
    for path in paths.into_iter().filter(|path| *path != LIST) {
        text.push_str(path);
        text.push('\n');
    }
    text.into_bytes()
}

/// Tells whether a line of the list names a file below the folder, and nothing else.
fn is_below(path: &str) -> bool {
    let is_name = |part: Component<'_>| matches!(part, Component::Normal(_));
    // What is written otherwise than the parts joined, as `a//b`, was not written here.
    let joined: PathBuf = Path::new(path).components().collect();
    !path.is_empty() && joined.as_os_str() == path && Path::new(path).components().all(is_name)
}

fn is_missing(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Error, format!("{}: {}", path.display(), reason(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(files: &[(&str, &str)]) -> Files {
        files.iter().map(|(path, text)| (path.to_string(), text.as_bytes().to_vec())).collect()
    }

    fn make(path: &Path, wanted: &Files) -> Result<(), Failure> {
        let folder = Folder::open(path)?;
        folder.write(wanted, &folder.compare(wanted)?)
    }

    #[test]
    fn only_its_own_files_are_replaced_and_removed() {
        let temp = tempfile::tempdir().unwrap();
        let at = temp.path().join("out");
        make(&at, &files(&[("a/b/one", "1"), ("a/two", "2"), ("plan.txt", "p")])).unwrap();
        std::fs::write(at.join("a/mine"), "mine").unwrap();
        make(&at, &files(&[("plan.txt", "q")])).unwrap();
        assert!(!at.join("a/b").exists() && !at.join("a/two").exists() && at.join("a/mine").exists());
        assert_eq!(std::fs::read(at.join("plan.txt")).unwrap(), b"q");
        let error = make(&at, &files(&[("plan.txt", "r"), ("a/mine", "x")])).unwrap_err();
        assert!(error.message.contains("render did not write it"), "{error}");
        assert_eq!(
            std::fs::read(at.join("plan.txt")).unwrap(),
            b"q",
            "nothing is written before the refusal"
        );
        let names: BTreeSet<_> = std::fs::read_dir(&at).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, [LIST, "a", "plan.txt"].map(Into::into).into());
    }

    #[test]
    fn what_is_right_is_not_written_again() {
        let temp = tempfile::tempdir().unwrap();
        let wanted = files(&[("a", "1"), ("b", "2")]);
        make(temp.path(), &wanted).unwrap();
        let folder = Folder::open(temp.path()).unwrap();
        assert_eq!(folder.compare(&wanted).unwrap(), []);
        std::fs::remove_file(temp.path().join("a")).unwrap();
        let differences = folder.compare(&wanted).unwrap();
        assert_eq!(differences, [Difference { path: "a".into(), before: None, after: Some(b"1".to_vec()) }]);
    }

    #[test]
    fn a_list_that_somebody_changed_leads_nowhere_else() {
        for line in ["../x", "/etc/passwd", "a/../../x", "a//b", "./a", "", "a/"] {
            assert!(!is_below(line), "{line}");
        }
        assert!(is_below("a/.conf/b c"));
        let temp = tempfile::tempdir().unwrap();
        let at = temp.path().join("out");
        std::fs::create_dir(&at).unwrap();
        std::fs::write(temp.path().join("x"), "mine").unwrap();
        std::fs::write(at.join(LIST), "../x\n<<<<<<< ours\nlink/x\n").unwrap();
        std::os::unix::fs::symlink(temp.path(), at.join("link")).unwrap();
        let error = Folder::open(&at).unwrap().compare(&Files::new()).unwrap_err();
        assert!(error.message.contains("not a folder"), "{error}");
        std::fs::remove_file(at.join("link")).unwrap();
        make(&at, &Files::new()).unwrap();
        assert_eq!(std::fs::read(temp.path().join("x")).unwrap(), b"mine");
    }
}
