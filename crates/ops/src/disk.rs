//! A target's files on disk.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use commit::Root;
use render::{Bytes, Found, Source};

use crate::chroot::Chroot;
use crate::path::{normalize, prefixed};

/// Larger files are neither compose files nor a postgresql.conf.
pub(crate) const LIMIT: u64 = model::yaml::MAX_BYTES as u64;

/// What a target's files may have together. Includes and folders can name any number of them, and each is held
/// several times over while a plan is made and proved.
const LIMIT_OF_ALL: u64 = 8 * LIMIT;

/// Distinguishes one file from another of the same name: device and inode, with links followed.
pub(crate) fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|metadata| identity_of(&metadata))
}

/// Returns the same for a file that was looked at.
pub(crate) fn identity_of(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Returns the files below a root, and those that absolute paths of its host mean.
pub(crate) struct Disk<'a> {
    root: &'a Root,
    /// The file system that absolute paths are in, with `--root`.
    chroot: Option<&'a Chroot>,
    /// How many bytes are left of [`LIMIT_OF_ALL`].
    left: Cell<u64>,
    /// Where absolute paths lead: every service names the same few.
    below: RefCell<HashMap<String, Option<String>>>,
}

impl<'a> Disk<'a> {
    pub(crate) fn new(root: &'a Root, chroot: Option<&'a Chroot>) -> Self {
        Self { root, chroot, left: Cell::new(LIMIT_OF_ALL), below: RefCell::default() }
    }

    /// Returns the path on this disk for one that leaves the root, but for the links in it; `None` for one that does not.
    fn outside(&self, path: &str) -> Option<PathBuf> {
        if path.starts_with('/') {
            return Some(prefixed(self.chroot.map(Chroot::path), Path::new(path)));
        }
        path.starts_with("../").then(|| normalize(&self.root.path().join(path)))
    }

    /// Resolves the links of a folder outside the root.
    fn resolved(&self, folder: &Path) -> std::io::Result<PathBuf> {
        match self.chroot {
            // Above the root is the root.
            Some(chroot) => chroot.resolve(chroot.inside(folder).unwrap_or(Path::new("/"))),
            None => Ok(folder.to_path_buf()),
        }
    }

    fn in_folder<T>(
        &self,
        path: &str,
        of: impl Fn(&Root, &Path) -> Result<Option<T>, commit::Error>,
    ) -> Found<T> {
        let found = match self.outside(path) {
            None => of(self.root, Path::new(path)),
            Some(path) => {
                let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Found::No };
                let folder = match self.resolved(parent) {
                    Ok(folder) => folder,
                    Err(error) => return Found::Unknown(commit::reason(&error)),
                };
                match Root::open(&folder) {
                    Ok(root) => of(&root, Path::new(name)),
                    Err(error) if error.is_missing() => return Found::No,
                    Err(error) => Err(error),
                }
            }
        };
        match found {
            Ok(Some(found)) => Found::Yes(found),
            Ok(None) => Found::No,
            Err(error) => Found::Unknown(without_path(&error, path)),
        }
    }
}

impl Source for Disk<'_> {
    fn read(&self, path: &str) -> Found<Bytes> {
        let left = self.left.get();
        match self
            .in_folder(path, |root, path| Ok(root.read(path, LIMIT)?.map(|file| Bytes::from(file.bytes))))
        {
            Found::Yes(bytes) if bytes.len() as u64 > left => Found::Unknown(format!(
                "with it the files of this target are larger than {LIMIT_OF_ALL} bytes together"
            )),
            Found::Yes(bytes) => {
                self.left.set(left - bytes.len() as u64);
                Found::Yes(bytes)
            }
            other => other,
        }
    }

    fn list(&self, folder: &str) -> Found<Vec<String>> {
        let folder = if folder.is_empty() { "." } else { folder };
        let names = self.in_folder(folder, Root::list);
        match names {
            Found::Yes(names) => {
                Found::Yes(names.into_iter().filter_map(|name| name.into_string().ok()).collect())
            }
            Found::No => Found::No,
            Found::Unknown(why) => Found::Unknown(why),
        }
    }

    fn below_root(&self, absolute: &str) -> Option<String> {
        if let Some(known) = self.below.borrow().get(absolute) {
            return known.clone();
        }
        let found = self.looked_up(absolute);
        self.below.borrow_mut().insert(absolute.to_owned(), found.clone());
        found
    }
}

impl Disk<'_> {
    /// Follows the links of an absolute path, and returns the rest of it if it leads below the root.
    fn looked_up(&self, absolute: &str) -> Option<String> {
        let inside = |path: &Path| Some(path.strip_prefix(self.root.path()).ok()?.to_str()?.to_string());
        let path = prefixed(self.chroot.map(Chroot::path), Path::new(absolute));
        // Kasm's files name the versioned path, which is where `current` leads to.
        inside(&normalize(&path)).or_else(|| match self.chroot {
            Some(chroot) => inside(&chroot.resolve(Path::new(absolute)).ok()?),
            None => inside(&path.canonicalize().ok()?),
        })
    }
}

/// The finding that gets this text names the path already.
fn without_path(error: &commit::Error, asked: &str) -> String {
    let text = error.to_string();
    if let commit::Error::Symlink { path } = error {
        let to = std::fs::read_link(path).map(|to| format!(" to {}", to.display())).unwrap_or_default();
        // The link may be a folder on the way.
        let whose = if path.ends_with(asked) { String::new() } else { format!("{} ", path.display()) };
        return format!("{whose}is a symbolic link{to}, and links are not followed here");
    }
    let path = error.path().display().to_string();
    let rest = text.strip_prefix(&path).map_or(text.as_str(), |rest| rest.trim_start_matches([':', ' ']));
    rest.to_string()
}
