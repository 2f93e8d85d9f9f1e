//! What a user may do with a file, as the kernel decides it: by owner, group and others, or by an ACL.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use live::ServerUser;
use rustix::io::Errno;

/// To read a file.
pub(super) const READ: u32 = 4;

/// To enter a folder.
pub(super) const ENTER: u32 = 1;

/// The version of the ACLs that the kernel shows (`POSIX_ACL_XATTR_VERSION`).
const VERSION: u32 = 2;

/// The tags of an entry: the owner, a user, the group, a group, the mask, others.
const OWNER: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OWNER: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

/// Whose permissions decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The owner's.
    Owner,
    /// Those of a group.
    Group,
    /// Those of others.
    Others,
    /// An entry of an ACL.
    Acl,
}

/// Whether a user may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum May {
    Yes,
    No(By),
    /// Its groups, or the ACL, are not known.
    Unknown,
}

/// An entry of an ACL: its tag, its permissions and whom it is for.
#[derive(Clone, Copy, Debug)]
struct Entry {
    tag: u16,
    bits: u32,
    id: u32,
}

/// Returns whether a user may do something with what is at a path.
pub(super) fn may(user: &ServerUser, path: &Path, found: &Metadata, what: u32) -> May {
    if user.uid == 0 {
        return May::Yes;
    }
    match acl(path) {
        Ok(None) => by_mode(user, (found.uid(), found.gid(), found.mode()), what),
        Ok(Some(entries)) => by_acl(user, (found.uid(), found.gid()), &entries, what),
        Err(()) => May::Unknown,
    }
}

fn by_mode(user: &ServerUser, (uid, gid, mode): (u32, u32, u32), what: u32) -> May {
    let has = |shift: u32, by: By| if (mode >> shift) & what == what { May::Yes } else { May::No(by) };
    if uid == user.uid {
        return has(6, By::Owner);
    }
    match &user.groups {
        Some(groups) if groups.contains(&gid) => has(3, By::Group),
        Some(_) => has(0, By::Others),
        // If both say the same, it does not matter which of them it is.
        None if has(3, By::Others) == has(0, By::Others) => has(0, By::Others),
        None => May::Unknown,
    }
}

fn by_acl(user: &ServerUser, (uid, gid): (u32, u32), entries: &[Entry], what: u32) -> May {
    let of = |tag: u16| entries.iter().filter(move |entry| entry.tag == tag);
    let mask = of(MASK).map(|entry| entry.bits).next().unwrap_or(7);
    let has = |bits: u32| if bits & what == what { May::Yes } else { May::No(By::Acl) };
    if uid == user.uid {
        return of(OWNER).next().map_or(May::Unknown, |entry| has(entry.bits));
    }
    if let Some(entry) = of(USER).find(|entry| entry.id == user.uid) {
        return has(entry.bits & mask);
    }
    let Some(groups) = &user.groups else { return May::Unknown };
    let own = of(GROUP_OWNER).filter(|_| groups.contains(&gid));
    let mut matching = own.chain(of(GROUP).filter(|entry| groups.contains(&entry.id))).peekable();
    if matching.peek().is_some() {
        let is_one = matching.any(|entry| has(entry.bits & mask) == May::Yes);
        return if is_one { May::Yes } else { May::No(By::Acl) };
    }
    of(OTHER).next().map_or(May::Unknown, |entry| has(entry.bits))
}

/// Reads the ACL of a file beyond its mode; an error if it cannot be read.
fn acl(path: &Path) -> Result<Option<Vec<Entry>>, ()> {
    let mut bytes = vec![0; 64 << 10];
    match rustix::fs::getxattr(path, "system.posix_acl_access", &mut bytes[..]) {
        Ok(length) => entries(&bytes[..length]).map(Some).ok_or(()),
        Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
        Err(_) => Err(()),
    }
}

/// Reads what the kernel shows of an ACL: a version, then tag, permissions and id of each entry.
fn entries(bytes: &[u8]) -> Option<Vec<Entry>> {
    let (version, rest) = bytes.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*version) != VERSION || rest.len() % 8 != 0 {
        return None;
    }
    let entry = |chunk: &[u8]| {
        let [a, b, c, d, e, f, g, h] = *chunk.first_chunk::<8>()?;
        let bits = u32::from(u16::from_le_bytes([c, d]));
        Some(Entry { tag: u16::from_le_bytes([a, b]), bits, id: u32::from_le_bytes([e, f, g, h]) })
    };
    rest.chunks(8).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(uid: u32, groups: Option<&[u32]>) -> ServerUser {
        ServerUser { uid, groups: groups.map(<[u32]>::to_vec), is_same: Some(true) }
    }

    #[test]
    fn the_first_class_that_a_user_is_in_decides_as_for_the_kernel() {
        let check = |user: ServerUser, mode, expected| {
            assert_eq!(by_mode(&user, (70, 71, mode), READ), expected, "{user:?} {mode:o}");
        };
        check(user(70, Some(&[71])), 0o600, May::Yes);
        check(user(70, Some(&[71])), 0o044, May::No(By::Owner));
        check(user(5, Some(&[71])), 0o640, May::Yes);
        check(user(5, Some(&[71])), 0o604, May::No(By::Group));
        check(user(5, Some(&[5])), 0o604, May::Yes);
        check(user(5, Some(&[5])), 0o660, May::No(By::Others));
        check(user(5, None), 0o640, May::Unknown);
        check(user(5, None), 0o644, May::Yes);
        check(user(5, None), 0o600, May::No(By::Others));
    }

    #[test]
    fn an_acl_is_read_as_the_kernel_reads_it() {
        let entry = |tag: u16, bits: u16, id: u32| {
            [&tag.to_le_bytes()[..], &bits.to_le_bytes(), &id.to_le_bytes()].concat()
        };
        let none = u32::MAX;
        let bytes = [
            VERSION.to_le_bytes().to_vec(),
            entry(OWNER, 6, none),
            entry(USER, 4, 9),
            entry(USER, 7, 8),
            entry(GROUP_OWNER, 0, none),
            entry(GROUP, 4, 50),
            entry(MASK, 4, none),
            entry(OTHER, 0, none),
        ]
        .concat();
        let entries = entries(&bytes).unwrap();
        let may = |user: ServerUser, what| by_acl(&user, (70, 71), &entries, what);
        assert_eq!(may(user(70, None), READ), May::Yes);
        assert_eq!(may(user(9, None), READ), May::Yes);
        assert_eq!(may(user(8, None), ENTER), May::No(By::Acl), "the mask takes it away");
        assert_eq!(may(user(5, Some(&[71, 50])), READ), May::Yes);
        assert_eq!(may(user(5, Some(&[71])), READ), May::No(By::Acl));
        assert_eq!(may(user(5, Some(&[5])), READ), May::No(By::Acl));
        assert_eq!(may(user(5, None), READ), May::Unknown);
        assert!(super::entries(&bytes[..9]).is_none() && super::entries(&[1, 0, 0, 0]).is_none());
    }
}
