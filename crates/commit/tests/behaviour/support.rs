//! A root to work in, and a look at everything in it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kasm_db_commit::{Change, CommitError, Report, Root};

/// How long a lock that nobody holds may take: a child that another test starts has its descriptor for a moment.
pub(crate) const SOON: Duration = Duration::from_secs(10);

pub(crate) struct Progress {
    temp: tempfile::TempDir,
}

/// Everything a commit must not change by accident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) ino: u64,
    pub(crate) mtime: (i64, i64),
    pub(crate) xattrs: BTreeMap<String, Vec<u8>>,
    pub(crate) bytes: Option<Vec<u8>>,
}

impl Progress {
    /// Files by their paths; directories are made as needed.
    pub(crate) fn with(files: &[(&str, &str)]) -> Progress {
        let progress = Progress { temp: tempfile::tempdir().unwrap() };
        for (path, text) in files {
            progress.write(path, text);
        }
        progress
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.temp.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), bytes).unwrap();
    }

    pub(crate) fn text(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    pub(crate) fn root(&self) -> Root {
        Root::open(self.temp.path()).unwrap()
    }

    /// The absolute path as errors show it.
    pub(crate) fn shown(&self, path: &str) -> PathBuf {
        self.root().path().join(path)
    }

    pub(crate) fn commit(&self, changes: &[Change]) -> Result<Report, Box<CommitError>> {
        self.root().lock(SOON).unwrap().commit(changes)
    }

    /// Everything beneath the root but the state directory, by path relative to it; links and special files
    /// without content. That there is a new state directory does not show in the time of the root.
    pub(crate) fn look(&self) -> BTreeMap<PathBuf, Seen> {
        let mut all = self.look_at_all();
        all.retain(|path, _| !path.starts_with(".kasm-db"));
        all
    }

    /// Everything beneath the root.
    pub(crate) fn look_at_all(&self) -> BTreeMap<PathBuf, Seen> {
        let mut seen = BTreeMap::new();
        let mut waiting = vec![self.temp.path().to_path_buf()];
        while let Some(path) = waiting.pop() {
            let found = fs::symlink_metadata(&path).unwrap();
            if found.is_dir() {
                waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
            let seen_here = Seen {
                mode: found.mode(),
                uid: found.uid(),
                gid: found.gid(),
                ino: found.ino(),
                mtime: (found.mtime(), found.mtime_nsec()),
                xattrs: xattrs(&path),
                bytes: found.is_file().then(|| fs::read(&path).unwrap()),
            };
            seen.insert(path.strip_prefix(self.temp.path()).unwrap().to_path_buf(), seen_here);
        }
        seen
    }

    pub(crate) fn names(&self) -> Vec<PathBuf> {
        self.look().into_keys().collect()
    }
}

impl Seen {
    /// What a replaced file keeps: everything but its inode, its time and its content.
    pub(crate) fn kept(&self) -> (u32, u32, u32, &BTreeMap<String, Vec<u8>>) {
        (self.mode, self.uid, self.gid, &self.xattrs)
    }
}

pub(crate) fn change(path: &str, before: &str, after: &str) -> Change {
    Change { path: path.into(), before: before.into(), after: after.into() }
}

fn xattrs(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut list = vec![0; 65536];
    let Ok(len) = rustix::fs::llistxattr(path, list.as_mut_slice()) else { return BTreeMap::new() };
    list[..len]
        .split(|&byte| byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| {
            let name = String::from_utf8(name.to_vec()).unwrap();
            let mut value = vec![0; 65536];
            let len = rustix::fs::lgetxattr(path, &name, value.as_mut_slice()).unwrap();
            value.truncate(len);
            (name, value)
        })
        .collect()
}

pub(crate) fn set_xattr(path: &Path, name: &str, value: &[u8]) -> rustix::io::Result<()> {
    rustix::fs::setxattr(path, name, value, rustix::fs::XattrFlags::empty())
}

/// Returns whether a test can continue; where it cannot, it fails in CI and says so elsewhere.
pub(crate) fn can<E: std::fmt::Display>(what: &str, setup: Result<(), E>) -> bool {
    let Err(error) = setup else { return true };
    let message = format!("this test needs {what}, which failed here: {error}");
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{message}");
    eprintln!("skipped: {message}");
    false
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Keeps even root from changing names in a directory, until it is dropped.
pub(crate) struct Frozen(PathBuf);

impl Frozen {
    pub(crate) fn new(path: PathBuf) -> Result<Frozen, String> {
        if is_root() {
            set_immutable(&path, true)?;
        } else {
            set_mode(&path, 0o555);
        }
        Ok(Frozen(path))
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        if is_root() {
            set_immutable(&self.0, false).unwrap();
        } else {
            set_mode(&self.0, 0o755);
        }
    }
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn set_immutable(path: &Path, on: bool) -> Result<(), String> {
    set_flag(path, rustix::fs::IFlags::IMMUTABLE, on)
}

pub(crate) fn set_flag(path: &Path, flag: rustix::fs::IFlags, on: bool) -> Result<(), String> {
    let file = fs::File::open(path).unwrap();
    let failed = |errno: rustix::io::Errno| format!("chattr on {}: {errno}", path.display());
    let mut flags = rustix::fs::ioctl_getflags(&file).map_err(failed)?;
    flags.set(flag, on);
    rustix::fs::ioctl_setflags(&file, flags).map_err(failed)
}
