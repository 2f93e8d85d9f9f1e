//! A folder of generated files: what it holds, what it should hold, and the way from one to the other.
//!
//! Its list names the files that were written here. Only those are ever replaced or removed, so that whatever
//! else stands in the folder is safe.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use commit::There;
use sha2::{Digest as _, Sha256};

use crate::error::Error;
use crate::output::{OutputFolder, Readers};

/// The list's name; it is committed with the rest.
pub const LIST: &str = ".kasm-db-render";

/// Whose files a folder holds.
#[derive(Debug)]
pub(crate) struct Kind {
    /// The name of the list.
    pub(crate) list: &'static str,
    /// The command that writes it.
    pub(crate) command: &'static str,
    /// The form of now: what of the same input is written and how. It changes with what that becomes.
    pub(crate) form: u32,
}

/// The folder of `render`. Its form changes with what is hidden.
pub(crate) const REVIEW: Kind = Kind { list: LIST, command: "render", form: 2 };

/// Stands in front of the number of the form in which files are rendered; a folder without it has the first one.
const FORM: &str = "# form: ";

/// Stands in front of the digest of all files together.
const SEAL: &str = "# sha256:";

/// Larger files were not written here.
const LIMIT: u64 = 16 << 20;

/// A folder, and which files in it are ours.
#[derive(Debug)]
pub(crate) struct Folder {
    kind: &'static Kind,
    place: OutputFolder,
    /// The folder itself, as soon as it is there. Whatever happens to its path afterwards, this one is read and written.
    open: OnceLock<commit::Folder>,
    ours: BTreeSet<String>,
    seal: Option<String>,
    by: Option<By>,
}

/// Which version of this program rendered a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// One that renders as this one does.
    This,
    /// One that rendered the same files otherwise.
    Earlier,
    /// One that this one does not know yet.
    Later,
}

impl By {
    fn of(list: &str, now: u32) -> Self {
        let form = list.lines().find_map(|line| line.strip_prefix(FORM));
        match form.map_or(Ok(1), str::parse::<u32>) {
            Ok(form) if form < now => Self::Earlier,
            Ok(form) if form == now => Self::This,
            _ => Self::Later,
        }
    }
}

impl Folder {
    /// Looks at a folder; one that is not there is empty.
    pub(crate) fn open(place: &OutputFolder, kind: &'static Kind) -> Result<Self, Error> {
        let opened = place.open().map_err(|error| in_words(place.path(), &error, "folder"))?;
        let open = opened.map(OnceLock::from).unwrap_or_default();
        let mut folder =
            Self { kind, place: place.clone(), open, ours: BTreeSet::new(), seal: None, by: None };
        let list = folder.read(kind.list)?;
        let is_there = list.is_some();
        let list = String::from_utf8_lossy(&list.unwrap_or_default()).into_owned();
        folder.by = is_there.then(|| By::of(&list, kind.form));
        folder.seal = list.lines().find_map(|line| line.strip_prefix(SEAL)).map(String::from);
        let lines = list.lines().filter(|line| !line.starts_with('#') && is_below(line));
        folder.ours = lines.map(String::from).collect();
        Ok(folder)
    }

    /// Returns the files that were written here.
    pub(crate) fn ours(&self) -> &BTreeSet<String> {
        &self.ours
    }

    /// Returns which version rendered the folder; `None` if none did.
    pub(crate) fn by(&self) -> Option<By> {
        self.by
    }

    /// Returns whether the folder was written with exactly the files that have this seal, whatever happened to them since.
    pub(crate) fn was_written_with(&self, seal: &str) -> bool {
        self.seal.as_deref() == Some(seal)
    }

    /// Refuses to write a file over one of somebody else.
    pub(crate) fn check_ours(&self, path: &str) -> Result<(), Error> {
        if self.ours.contains(path) {
            return Ok(());
        }
        let path = self.place.path().join(path);
        Err(Error::failed(format!(
            "{} already exists, and `{}` did not write it",
            path.display(),
            self.kind.command
        ))
        .help("move it away, or name another folder with `--out DIR`"))
    }

    /// Writes the list of files; with the seal of all of them once they are there.
    pub(crate) fn put_list<'p>(
        &self,
        paths: impl IntoIterator<Item = &'p String>,
        seal: Option<&str>,
    ) -> Result<(), Error> {
        self.put(self.kind.list, &list(self.kind, paths, seal))
    }

    /// Reads a file, if it is there. Links are not followed: they could lead anywhere.
    pub(crate) fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let Some(folder) = self.open.get() else { return Ok(None) };
        folder.read(Path::new(path), LIMIT).map_err(|error| self.failed(path, &error))
    }

    /// Writes a file beside its place and renames it.
    pub(crate) fn put(&self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        let write = |file: &mut std::fs::File| file.write_all(bytes);
        self.there()?
            .write(Path::new(path), Readers::ByUmask, There::Replaced, write)
            .map_err(|error| self.failed(path, &error))
    }

    /// Removes a file, and the folders that are empty then.
    pub(crate) fn remove(&self, path: &str) -> Result<(), Error> {
        self.there()?.remove(Path::new(path)).map_err(|error| self.failed(path, &error))
    }

    /// Returns the folder, and creates it if it was not there.
    fn there(&self) -> Result<&commit::Folder, Error> {
        if self.open.get().is_none() {
            let created =
                self.place.create().map_err(|error| in_words(self.place.path(), &error, "folder"))?;
            // Nobody else can have set it: the cell is this thread's.
            let _ = self.open.set(created);
        }
        self.open.get().ok_or_else(|| Error::failed(format!("{}: not a folder", self.place.path().display())))
    }

    /// Puts the error of a file into words, with the path as the folder was named.
    fn failed(&self, path: &str, error: &commit::Error) -> Error {
        let beneath = self.open.get().and_then(|folder| error.path().strip_prefix(folder.path()).ok());
        let at = beneath.unwrap_or(Path::new(path));
        let wanted = if at == Path::new(path) { "file" } else { "folder" };
        in_words(&self.place.path().join(at), error, wanted)
    }
}

/// Puts an error into words; `wanted` is what should be there.
fn in_words(path: &Path, error: &commit::Error, wanted: &str) -> Error {
    let shown = path.display();
    let not_it = || Error::failed(format!("{shown}: not a {wanted}")).help("name a folder with `--out DIR`");
    match error {
        commit::Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotADirectory => not_it(),
        commit::Error::Io { source, operation, .. } => {
            let failed = Error::of_system(format!("{shown}: cannot {operation}"), source);
            match source.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    failed.help("use `--out DIR` to name a folder that you can write to")
                }
                _ => failed,
            }
        }
        commit::Error::NotRegular { .. } | commit::Error::Symlink { .. } => not_it(),
        commit::Error::TooLarge { .. } => Error::failed(format!("{shown}: larger than 16 MiB")),
        other => Error::from(other),
    }
}

/// The SHA-256 of all files together, with their paths and lengths, so that nothing can move between them. The files come
/// in the order of their paths.
#[derive(Clone, Default)]
pub(crate) struct Seal(Sha256);

impl Seal {
    pub(crate) fn add(&mut self, path: &str, bytes: &[u8]) {
        self.0.update(format!("{} {} {path}\n", path.len(), bytes.len()));
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Returns the text of the list.
pub(crate) fn list<'p>(
    kind: &Kind,
    paths: impl IntoIterator<Item = &'p String>,
    seal: Option<&str>,
) -> Vec<u8> {
    let Kind { list, command, form } = kind;
    let mut text = format!(
        "# The files of this folder that `kasm-db {command}` wrote. Others it leaves alone.\n{FORM}{form}\n"
    );
    if let Some(seal) = seal {
        text.push_str(&format!("{SEAL}{seal}\n"));
    }
    for path in paths.into_iter().filter(|path| path != list) {
        text.push_str(path);
        text.push('\n');
    }
    text.into_bytes()
}

/// Returns whether a line of the list names a file below the folder, and nothing else.
fn is_below(path: &str) -> bool {
    let is_name = |part: Component<'_>| matches!(part, Component::Normal(_));
    // What is written otherwise than the parts joined, as `a//b`, was not written here.
    let joined: PathBuf = Path::new(path).components().collect();
    !path.is_empty() && joined.as_os_str() == path && Path::new(path).components().all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let folder = |path: &Path| Folder::open(&OutputFolder::named(path).unwrap(), &REVIEW);
        let error = folder(&at).unwrap().read("link/x").unwrap_err();
        assert!(error.message.contains("not a folder"), "{error}");
        let ours = folder(&at).unwrap().ours().iter().cloned().collect::<Vec<_>>();
        assert_eq!(ours, ["<<<<<<< ours", "link/x"], "what leads out of the folder is not ours");
    }

    #[test]
    fn a_folder_knows_the_files_that_it_was_written_with() {
        let temp = tempfile::tempdir().unwrap();
        let seal = |files: &[(&str, &[u8])]| {
            let mut seal = Seal::default();
            files.iter().for_each(|(path, bytes)| seal.add(path, bytes));
            seal.finish()
        };
        let written = seal(&[("a", b"1"), ("b", b"2")]);
        let paths = ["a".to_string(), "b".to_string()];
        let open = || Folder::open(&OutputFolder::named(temp.path()).unwrap(), &REVIEW).unwrap();
        open().put_list(&paths, Some(&written)).unwrap();
        let folder = open();
        assert!(folder.was_written_with(&written) && folder.check_ours("a").is_ok());
        assert!(!folder.was_written_with(&seal(&[("a", b"12"), ("b", b"")])));
        assert!(folder.check_ours("c").unwrap_err().message.contains("`render` did not write it"));
    }
}
