//! A folder whose files are believed: nobody but root and this user could have written them.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, StatxFlags};

use crate::dir::{Access, Dir};
use crate::error::{Error, Operation};
use crate::folder::{Folder, Readers, There};
use crate::path::RelPath;

/// Holds such a folder open.
///
/// It and the folders that lead to it from its top belong to root or to this user, and nobody else can write to them. Who can
/// replace the top is for the caller to find out.
#[derive(Debug)]
pub struct Private {
    dir: Dir,
}

impl Private {
    /// Opens the folder `beneath` below `top`, an absolute path without links. No link is followed.
    ///
    /// # Errors
    /// [`Error::Symlink`]; [`Error::InsecureState`] if somebody else could have written to it; [`Error::Io`],
    /// [`Error::is_missing`] if there is no such folder.
    pub fn open(top: &Path, beneath: &Path) -> Result<Private, Error> {
        Self::reach(top, beneath, |_, _| Ok(()))
    }

    /// Opens the folder, and creates it and those on the way to it that are missing, for their owner alone.
    ///
    /// # Errors
    /// As for [`Private::open`], or one of them cannot be created.
    pub fn create(top: &Path, beneath: &Path) -> Result<Private, Error> {
        Self::reach(top, beneath, Dir::create_dir)
    }

    fn reach(
        top: &Path,
        beneath: &Path,
        make: impl Fn(&Dir, &OsStr) -> Result<(), Error>,
    ) -> Result<Private, Error> {
        let mut dir = Dir::open_resolved(top)?;
        for name in beneath {
            make(&dir, name)?;
            dir = dir.descend(Path::new(name), Access::Search)?;
            crate::state::files::trusted(&dir)?;
        }
        Ok(Private { dir })
    }

    /// Reads a file of at most `limit` bytes; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::InsecureState`] if somebody else could have written it; [`Error::Path`], [`Error::Symlink`],
    /// [`Error::NotRegular`], [`Error::TooLarge`], [`Error::Io`].
    pub fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        let name = RelPath::parse(Path::new(name))?.name();
        let path = self.dir.join(name);
        let Some(opened) = self.dir.open_regular(name)? else { return Ok(None) };
        let (uid, mode) = (opened.metadata.uid(), opened.metadata.mode() & 0o7777);
        crate::state::files::own(&path, uid, mode)?;
        opened.read(&path, limit)?.map(Some).ok_or(Error::TooLarge { path, limit })
    }

    /// Writes a file that only its owner can read: beside its place, synced, and then renamed. A reader sees it old or whole.
    ///
    /// # Errors
    /// [`Error::Path`]; [`Error::NotRegular`] if what is there cannot be replaced; [`Error::Io`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let folder = Folder::of(self.dir.reopened(Access::Search)?);
        folder.write(Path::new(name), Readers::Owner, There::Replaced, |file| file.write_all(bytes))
    }

    /// Removes the oldest files until so many are left, also those that a run left unfinished.
    ///
    /// # Errors
    /// The folder cannot be listed, or a file cannot be removed.
    pub fn keep_newest(&self, most: usize) -> Result<(), Error> {
        let names = self.dir.reopened(Access::Read)?.names()?;
        if names.len() <= most {
            return Ok(());
        }
        let mut files: Vec<_> =
            names.into_iter().filter_map(|name| Some((self.written(&name)?, name))).collect();
        files.sort_unstable();
        let oldest = files.len().saturating_sub(most);
        files[..oldest].iter().try_for_each(|(_, name)| self.dir.remove(name, Operation::Remove))
    }

    /// Returns when a file or a link was written; `None` for anything else, and if another run was faster.
    fn written(&self, name: &OsString) -> Option<(i64, u32)> {
        let wanted = StatxFlags::TYPE | StatxFlags::MTIME;
        let found = rustix::fs::statx(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW, wanted).ok()?;
        let kind = FileType::from_raw_mode(found.stx_mode.into());
        let is_file = matches!(kind, FileType::RegularFile | FileType::Symlink);
        is_file.then_some((found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::PathBuf;

    use super::*;

    fn top() -> (tempfile::TempDir, PathBuf) {
        let temp = tempfile::tempdir().unwrap();
        let top = temp.path().canonicalize().unwrap();
        (temp, top)
    }

    #[test]
    fn what_is_made_is_for_its_owner_alone() {
        let (_temp, top) = top();
        let beneath = Path::new("a/b");
        assert!(Private::open(&top, beneath).unwrap_err().is_missing());
        let private = Private::create(&top, beneath).unwrap();
        private.write("one", b"first").unwrap();
        private.write("one", b"second").unwrap();
        let mode = |path: &str| top.join(path).metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("a"), mode("a/b"), mode("a/b/one")), (0o700, 0o700, 0o600));
        let again = Private::open(&top, beneath).unwrap();
        assert_eq!(again.read("one", 6).unwrap().unwrap(), b"second");
        assert_eq!(again.read("two", 6).unwrap(), None);
        assert!(matches!(again.read("one", 5), Err(Error::TooLarge { .. })));
    }

    #[test]
    fn what_others_can_write_to_and_links_are_refused() {
        let (_temp, top) = top();
        let private = Private::create(&top, Path::new("a/b")).unwrap();
        private.write("one", b"first").unwrap();
        for (path, mode) in [("a", 0o770), ("a/b", 0o702)] {
            fs::set_permissions(top.join(path), Permissions::from_mode(mode)).unwrap();
            for opened in [Private::open(&top, Path::new("a/b")), Private::create(&top, Path::new("a/b"))] {
                assert!(matches!(opened, Err(Error::InsecureState { .. })), "{path}");
            }
            fs::set_permissions(top.join(path), Permissions::from_mode(0o700)).unwrap();
        }
        fs::set_permissions(top.join("a/b/one"), Permissions::from_mode(0o620)).unwrap();
        assert!(matches!(private.read("one", 9), Err(Error::InsecureState { .. })));
        symlink("one", top.join("a/b/two")).unwrap();
        assert!(matches!(private.read("two", 9), Err(Error::Symlink { .. })));
        private.write("two", b"new").unwrap();
        assert_eq!(fs::read(top.join("a/b/one")).unwrap(), b"first", "it was written through the link");
        symlink("a", top.join("link")).unwrap();
        assert!(matches!(Private::open(&top, Path::new("link/b")), Err(Error::Symlink { .. })));
    }

    #[test]
    fn the_oldest_files_are_removed() {
        let (_temp, top) = top();
        let private = Private::create(&top, Path::new("a")).unwrap();
        for (age, name) in ["d", "c", "b", "a"].into_iter().enumerate() {
            private.write(name, b"").unwrap();
            let file = fs::File::options().write(true).open(top.join("a").join(name)).unwrap();
            let then = std::time::SystemTime::now() - std::time::Duration::from_secs(100 - age as u64);
            file.set_modified(then).unwrap();
        }
        private.keep_newest(4).unwrap();
        private.keep_newest(2).unwrap();
        let mut left: Vec<_> =
            fs::read_dir(top.join("a")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["a", "b"]);
    }
}
