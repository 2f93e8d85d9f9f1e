//! What a replaced file keeps.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use crate::support::{Progress, can, change, is_root, set_mode, set_xattr};

/// Replaces `a` and compares everything but its content.
fn replace(progress: &Progress) {
    let before = progress.look();
    let report = progress.commit(&[change("a", "old", "new")]).unwrap();
    let after = progress.look();
    assert_eq!(progress.text("a"), "new");
    assert_eq!(after[Path::new("a")].kept(), before[Path::new("a")].kept());
    assert!(report.lost_xattrs.is_empty());
}

fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(rights.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

const NOBODY: u32 = u32::MAX;
const USER_OBJ: u16 = 1;
const USER: u16 = 2;
const GROUP_OBJ: u16 = 4;
const MASK: u16 = 16;
const OTHER: u16 = 32;

/// User 1234 may read and write; the group bits of the mode are the mask, not the rights of the group.
fn acl_for_one_user() -> Vec<u8> {
    acl(&[
        (USER_OBJ, 6, NOBODY),
        (USER, 6, 1234),
        (GROUP_OBJ, 0, NOBODY),
        (MASK, 6, NOBODY),
        (OTHER, 0, NOBODY),
    ])
}

#[test]
fn every_mode_is_kept() {
    for mode in [0o600, 0o644, 0o664, 0o666, 0o400, 0o000, 0o755, 0o4750, 0o2755, 0o1644] {
        if mode & 0o400 == 0 && !is_root() {
            continue; // A file its owner cannot read cannot be planned for either.
        }
        let progress = Progress::with(&[("a", "old")]);
        set_mode(&progress.at("a"), mode);
        replace(&progress);
    }
}

#[test]
fn owner_and_group_are_kept() {
    let progress = Progress::with(&[("a", "old")]);
    let (uid, gid) = if is_root() {
        (Some(70), Some(71))
    } else {
        let own = rustix::process::getegid();
        let groups = rustix::process::getgroups().unwrap();
        (None, groups.into_iter().find(|group| *group != own).map(rustix::process::Gid::as_raw))
    };
    let setup = match (uid, gid) {
        (None, None) => Err("the user has one group only".to_owned()),
        _ => chown(progress.at("a"), uid, gid).map_err(|error| error.to_string()),
    };
    if can("to give a file away", setup) {
        set_mode(&progress.at("a"), 0o640);
        replace(&progress);
    }
}

#[test]
fn extended_attributes_are_kept() {
    let progress = Progress::with(&[("a", "old")]);
    if can("user extended attributes", set_xattr(&progress.at("a"), "user.empty", b"")) {
        set_xattr(&progress.at("a"), "user.binary", b"\0\xff\n").unwrap();
        set_xattr(&progress.at("a"), "user.long", &[7; 1500]).unwrap();
        replace(&progress);
    }
}

#[test]
fn an_acl_is_kept() {
    let progress = Progress::with(&[("a", "old")]);
    if can("ACLs", set_xattr(&progress.at("a"), "system.posix_acl_access", &acl_for_one_user())) {
        replace(&progress);
    }
}

#[test]
fn a_default_acl_of_the_directory_lets_nobody_in() {
    let progress = Progress::with(&[("a", "old")]);
    set_mode(&progress.at("a"), 0o660);
    // Set after the file was made: it applies to the staged file alone.
    if can("ACLs", set_xattr(&progress.at(""), "system.posix_acl_default", &acl_for_one_user())) {
        replace(&progress);
        assert!(progress.look()[Path::new("a")].xattrs.keys().all(|name| !name.contains("acl")));
    }
}

#[test]
fn file_capabilities_are_kept() {
    let progress = Progress::with(&[("a", "old")]);
    // Version 2, CAP_NET_BIND_SERVICE permitted.
    let mut capability = 0x0200_0000_u32.to_le_bytes().to_vec();
    capability.extend((1_u32 << 10).to_le_bytes());
    capability.extend([0; 12]);
    if can("root and file capabilities", set_xattr(&progress.at("a"), "security.capability", &capability)) {
        replace(&progress);
    }
}

#[test]
fn other_files_of_the_directory_are_not_touched() {
    let progress =
        Progress::with(&[("a", "old"), (".a.swp", "editor"), ("a~", "backup"), (".a.kasm-db-news", "")]);
    let mut before = progress.look();
    progress.commit(&[change("a", "old", "new")]).unwrap();
    let mut after = progress.look();
    for changed in ["", "a"].map(PathBuf::from) {
        before.remove(&changed);
        after.remove(&changed);
    }
    assert_eq!(after, before);
}
