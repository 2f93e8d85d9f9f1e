//! Deleting the state directory.

use std::ffi::OsStr;
use std::path::Path;

use crate::dir::{Access, Dir};
use crate::error::{Error, Operation};
use crate::path::{GONE, STATE_DIR};

/// Deletes the state directory of a root. A run that is killed leaves it whole, or out of the way under another name, which
/// the next one deletes.
pub(crate) fn forget(root: &Dir) -> Result<(), Error> {
    let gone = OsStr::new(GONE);
    remove_all(root, gone)?;
    root.rename(OsStr::new(STATE_DIR), root, gone, Operation::Remove)?;
    root.descend(Path::new(""), Access::Read)?.synced()?;
    remove_all(root, gone)
}

/// Removes a directory with everything below it, if it is there; links are removed and not followed.
fn remove_all(dir: &Dir, name: &OsStr) -> Result<(), Error> {
    if dir.entry(name)?.is_none() {
        return Ok(());
    }
    let Ok(inside) = dir.descend(Path::new(name), Access::Read) else {
        return dir.remove(name, Operation::Remove);
    };
    for name in inside.names()? {
        if inside.descend(Path::new(&name), Access::Read).is_ok() {
            remove_all(&inside, &name)?;
        } else {
            inside.remove(&name, Operation::Remove)?;
        }
    }
    dir.remove_dir(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_deleted_and_nothing_behind_a_link_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let state = path.join(STATE_DIR);
        std::fs::create_dir_all(state.join("private/generations/1")).unwrap();
        std::fs::write(state.join("private/generations/1/0.old"), "a").unwrap();
        std::fs::write(state.join("managed"), "a").unwrap();
        std::fs::create_dir(path.join("theirs")).unwrap();
        std::fs::write(path.join("theirs/file"), "b").unwrap();
        std::os::unix::fs::symlink("../theirs", state.join("link")).unwrap();
        // What a run that was killed has left.
        std::fs::create_dir(path.join(GONE)).unwrap();
        std::fs::write(path.join(GONE).join("managed"), "c").unwrap();
        forget(&Dir::open(path).unwrap()).unwrap();
        let left: Vec<_> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["theirs"]);
        assert_eq!(std::fs::read(path.join("theirs/file")).unwrap(), b"b");
    }
}
