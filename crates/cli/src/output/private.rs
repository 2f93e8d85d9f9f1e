//! A file for its owner, whole or not there.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use commit::reason;

use crate::exit::{Exit, Failure};

/// Writes a new file beside `path`, syncs it, and renames it there. A link is replaced, not followed.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let name = path.display();
    let failed = |what: &str, why: &std::io::Error| {
        Failure::new(Exit::Error, format!("{name}: can not {what}: {}", reason(why)))
    };
    if std::fs::symlink_metadata(path).is_ok_and(|found| !found.is_file() && !found.is_symlink()) {
        return Err(Failure::new(Exit::Error, format!("{name}: is not a regular file"))
            .help("name a file; it is made, or replaced"));
    }
    let Some(base) = path.file_name() else {
        return Err(Failure::new(Exit::Error, format!("{name}: names no file")));
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (new, mut file) = create(folder, base).map_err(|why| failed("create the file", &why))?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|why| failed("write the file", &why))
        .and_then(|()| std::fs::rename(&new, path).map_err(|why| failed("rename the new file", &why)));
    if written.is_err() {
        // What can not be removed here is named by nobody and harms nobody.
        let _ = std::fs::remove_file(&new);
    }
    written?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|why| failed("sync the folder", &why))
}

/// Makes a file that nobody else can have opened before.
fn create(folder: &Path, base: &std::ffi::OsStr) -> std::io::Result<(PathBuf, File)> {
    let mut name = std::ffi::OsString::from(".");
    name.push(base);
    name.push(format!(".{}", std::process::id()));
    let path = folder.join(name);
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(&path)?;
    Ok((path, file))
}
