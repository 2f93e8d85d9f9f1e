//! A folder that stands for the root of a host's file system: `--root`.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// So many links are followed for one path, as Linux does.
const LINKS: usize = 40;

/// A copy of a host's files. Paths resolve below it as in a chroot: an absolute link starts at it, and `..` does not
/// lead above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chroot(PathBuf);

impl Chroot {
    /// Accepts the folder; one that is not absolute starts at the working folder.
    pub(crate) fn new(root: &Path) -> Self {
        let absolute = || std::path::absolute(root).unwrap_or_else(|_| root.to_path_buf());
        Self(root.canonicalize().unwrap_or_else(|_| absolute()))
    }

    /// Returns the folder, absolute and, if it is there, without links.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Returns where a path of the host is on this machine. No part of it that is there is a link.
    ///
    /// # Errors
    /// A link cannot be read, or there are too many.
    pub(crate) fn resolve(&self, path: &Path) -> std::io::Result<PathBuf> {
        let mut ahead: VecDeque<OsString> = names(path).collect();
        let (mut found, mut links) = (self.0.clone(), 0);
        let mut depth = 0;
        while let Some(name) = ahead.pop_front() {
            if name == ".." {
                if depth > 0 {
                    found.pop();
                    depth -= 1;
                }
                continue;
            }
            found.push(&name);
            depth += 1;
            let is_link = std::fs::symlink_metadata(&found).is_ok_and(|metadata| metadata.is_symlink());
            if !is_link {
                continue;
            }
            links += 1;
            if links > LINKS {
                return Err(rustix::io::Errno::LOOP.into());
            }
            let to = std::fs::read_link(&found)?;
            if to.is_absolute() {
                (found, depth) = (self.0.clone(), 0);
            } else {
                found.pop();
                depth -= 1;
            }
            for name in names(&to).collect::<Vec<_>>().into_iter().rev() {
                ahead.push_front(name);
            }
        }
        Ok(found)
    }

    /// Returns the path that a path of this machine has on the host, if it is below the folder.
    pub(crate) fn inside<'p>(&self, path: &'p Path) -> Option<&'p Path> {
        path.strip_prefix(&self.0).ok()
    }
}

fn names(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_os_string()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_resolve_below_the_root() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().canonicalize().unwrap().join("copy");
        std::fs::create_dir_all(root.join("opt/kasm/1.16.0/docker")).unwrap();
        symlink("/opt/kasm/1.16.0", root.join("opt/kasm/current")).unwrap();
        symlink("../../../../../../etc", root.join("opt/kasm/up")).unwrap();
        symlink("1.16.0/docker", root.join("opt/kasm/docker")).unwrap();
        symlink("loop", root.join("opt/loop")).unwrap();
        let chroot = Chroot::new(&root);
        for (path, to) in [
            ("/opt/kasm/current/docker", "opt/kasm/1.16.0/docker"),
            ("opt/kasm/current", "opt/kasm/1.16.0"),
            ("/opt/kasm/up/passwd", "etc/passwd"),
            ("/opt/kasm/docker/../conf", "opt/kasm/1.16.0/conf"),
            ("/../../opt/nothing/../kasm", "opt/kasm"),
            ("/", ""),
        ] {
            assert_eq!(chroot.resolve(Path::new(path)).unwrap(), root.join(to), "{path}");
        }
        assert!(chroot.resolve(Path::new("/opt/loop/x")).is_err());
    }
}
