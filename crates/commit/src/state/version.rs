//! The number of the layout of the state directory.

use std::ffi::OsStr;

use super::files::{Readers, Unsynced, read, stage};
use crate::dir::Dir;
use crate::error::{Damage, Error, Operation};

/// The layout that is made.
const CURRENT: u64 = 2;

const LAYOUT: &str = "layout";
pub(super) const LAYOUT_NEW: &str = "layout.new";

/// More bytes than a number has.
const MAX_NUMBER: u64 = 64;

/// Returns whether a directory has the layout that is made; one of layout 1 has no number.
///
/// # Errors
/// The number is damaged, or that of a later version.
pub(super) fn is_current(dir: &Dir) -> Result<bool, Error> {
    let name = OsStr::new(LAYOUT);
    let damaged = || Error::Damaged { path: dir.join(name), damage: Damage::Layout };
    let bytes = match read(dir, name, MAX_NUMBER) {
        Ok(None) => return Ok(false),
        Err(Error::TooLarge { .. }) => return Err(damaged()),
        found => found?.unwrap_or_default(),
    };
    let text = std::str::from_utf8(&bytes).ok().and_then(|text| text.strip_suffix('\n'));
    let layout: u64 = text.and_then(|text| text.parse().ok()).ok_or_else(damaged)?;
    match layout {
        0 | 1 => Err(damaged()),
        CURRENT => Ok(true),
        _ => Err(Error::NewerLayout { path: dir.path().to_path_buf(), layout, known: CURRENT }),
    }
}

/// Writes the number of the layout that is made beside its place.
pub(super) fn write(dir: &Dir, unsynced: &mut Unsynced) -> Result<(), Error> {
    let number = format!("{CURRENT}\n");
    stage(dir, LAYOUT_NEW, number.as_bytes(), Readers::Everybody, Operation::Layout, unsynced)
        .inspect_err(|_| withdraw(dir))
}

/// Removes what was written beside its place.
pub(super) fn withdraw(dir: &Dir) {
    // What cannot be removed is found by the next commit.
    let _ = dir.remove(OsStr::new(LAYOUT_NEW), Operation::Remove);
}

/// Puts it into its place. It must be synced.
pub(super) fn put_down(dir: &Dir) -> Result<(), Error> {
    dir.rename(OsStr::new(LAYOUT_NEW), dir, OsStr::new(LAYOUT), Operation::Layout)
}
