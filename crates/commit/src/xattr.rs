//! Extended attributes: POSIX ACLs, security labels, file capabilities and what users attach.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::XattrFlags;
use rustix::io::Errno;

use crate::dir::Dir;
use crate::error::{Error, Operation};

const ACL: &str = "system.posix_acl_access";

/// Checksums over content and inode that the kernel's integrity subsystem keeps; a copy would be wrong.
const BOUND_TO_CONTENT: [&str; 2] = ["security.ima", "security.evm"];

/// The kernel's limit for one value and for the list of names, in bytes.
const MAX: usize = 65536;

#[derive(Clone, Debug)]
pub(crate) struct Xattr {
    name: OsString,
    value: Vec<u8>,
}

/// Returns whether a file has an ACL beyond its mode. What cannot be told is taken for one.
pub(crate) fn has_acl(file: &File) -> bool {
    is_acl(rustix::fs::fgetxattr(file, ACL, &mut [0_u8; 0]))
}

/// Returns the same for a name in a directory, whose links are not followed.
pub(crate) fn name_has_acl(dir: &Dir, name: &OsStr) -> bool {
    let path = Path::new("/proc/self/fd").join(dir.as_fd().as_raw_fd().to_string()).join(name);
    is_acl(rustix::fs::lgetxattr(path, ACL, &mut [0_u8; 0]))
}

fn is_acl(found: Result<usize, Errno>) -> bool {
    !matches!(found, Err(Errno::NODATA | Errno::NOTSUP))
}

/// Reads all attributes of a file that its replacement must have too.
pub(crate) fn read_all(file: &File, path: &Path) -> Result<Vec<Xattr>, Error> {
    let mut list = vec![0; MAX];
    let len = match rustix::fs::flistxattr(file, list.as_mut_slice()) {
        Ok(len) => len,
        // A file system without attributes has none to lose.
        Err(Errno::NOTSUP) => return Ok(Vec::new()),
        Err(errno) => return Err(Error::io(path, Operation::ReadXattr(String::new()), errno)),
    };
    list.truncate(len);
    let mut all = Vec::new();
    for name in list.split(|&byte| byte == 0).filter(|name| !name.is_empty()).map(OsStr::from_bytes) {
        if BOUND_TO_CONTENT.iter().any(|bound| name == *bound) {
            continue;
        }
        if let Some(value) = read(file, name, path)? {
            all.push(Xattr { name: name.to_os_string(), value });
        }
    }
    Ok(all)
}

fn read(file: &File, name: &OsStr, path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let mut value = vec![0; MAX];
    match rustix::fs::fgetxattr(file, name, value.as_mut_slice()) {
        Ok(len) => {
            value.truncate(len);
            Ok(Some(value))
        }
        Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
        Err(errno) => Err(Error::io(path, Operation::ReadXattr(shown(name)), errno)),
    }
}

/// Returns a file the attributes of another and returns the names of those this user may not set.
///
/// It comes after the owner is set, because a change of owner drops file capabilities, and before the mode
/// is: setting an ACL sets the mode as well, and the mode of a file with an ACL says nothing true about a file
/// without one (its group bits are the ACL's mask, not what the group may do).
pub(crate) fn apply(wanted: &[Xattr], file: &File, path: &Path) -> Result<Vec<String>, Error> {
    if !wanted.iter().any(|xattr| xattr.name == ACL) {
        remove_inherited_acl(file, path)?;
    }
    let mut lost = Vec::new();
    for Xattr { name, value } in wanted {
        // Labels are often inherited alike, and then there is nothing that could be refused.
        if read(file, name, path)?.as_ref() == Some(value) {
            continue;
        }
        match rustix::fs::fsetxattr(file, name, value, XattrFlags::empty()) {
            Ok(()) => {}
            Err(Errno::PERM | Errno::NOTSUP) if name != ACL && !privileged() => lost.push(shown(name)),
            Err(errno) => return Err(Error::io(path, Operation::SetXattr(shown(name)), errno)),
        }
    }
    Ok(lost)
}

/// Only root may set `security.*` and `trusted.*`. To fail for them would shut out everybody who edits their
/// own files on a system with labels, where any editor works; so they are reported instead. For root the
/// same error means that something is wrong. An ACL decides who reads the file, and its owner may always
/// set it: it is never given up.
fn privileged() -> bool {
    rustix::process::geteuid().is_root()
}

/// A default ACL of the directory lands on each new file, where it would let people in who could not read the
/// file that is replaced.
fn remove_inherited_acl(file: &File, path: &Path) -> Result<(), Error> {
    match rustix::fs::fremovexattr(file, ACL) {
        Ok(()) | Err(Errno::NODATA | Errno::NOTSUP) => Ok(()),
        Err(errno) => Err(Error::io(path, Operation::SetXattr(ACL.to_owned()), errno)),
    }
}

fn shown(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}
